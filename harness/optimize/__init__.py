"""From a scenario of use to the best network for it: candidates are judged by what they execute on the target."""
