"""The demonstration: Airflow updates a simulated cluster on this machine, from one command."""
