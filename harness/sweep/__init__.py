"""Design-space sweeps: a file names axes, budgets and objectives; each point is measured once, stored, compared."""
