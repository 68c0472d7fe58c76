"""Cluster update coordination for Airflow: the product (`hci`), the fleet file and the simulated cluster."""
