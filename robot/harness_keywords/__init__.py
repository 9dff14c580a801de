"""The parts of HarnessLibrary."""
