"""Published measurements of real boards beside what the emulator counts for the same networks."""
