"""Runs the steps inside Airflow: operators, triggers and what they need of connections, storage and task states."""
