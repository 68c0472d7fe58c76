"""The product: everything that coordinates updates of failover clusters."""
