"""The simulated cluster: nodes, roles, storage, updates and locks on one clock and one seed."""
