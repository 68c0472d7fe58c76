"""A simulated Storage Spaces Direct cluster that speaks the real remoting protocols on loopback."""
