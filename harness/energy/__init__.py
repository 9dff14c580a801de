"""Energy: power levels, power traces, energy of an inference, duty cycles. Modelled and measured stay apart."""
