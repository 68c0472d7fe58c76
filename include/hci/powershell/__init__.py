"""PowerShell remoting: structured commands in, typed results out, and errors that say what to do next."""
