"""What each cmdlet does on a simulated machine, and how a call is bound and run."""
