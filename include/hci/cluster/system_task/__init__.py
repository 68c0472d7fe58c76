r"""Updating a node through a scheduled task that runs as SYSTEM.

The Windows Update Agent refuses to download and install in a remote session (win32, using-wua-from-a-remote-computer); a task
that runs as SYSTEM on the node itself is no remote session, and Windows Admin Center installs that way too. What is registered
is one fixed definition, ``task.xml``, whose action is one fixed text, ``worker.ps1``: the definition carries it as
``-EncodedCommand``, written by ``build`` and compared by a test. So nothing is ever put into PowerShell text, no script lies on
the node, no execution policy matters, and a constrained endpoint may allow this one definition only.

What differs from run to run travels as data: ``arguments.json`` is written with Set-Content, the answer is read with Get-Content.
Both sides check what they read (``protocol`` here, Read-Arguments there). The files lie in a folder of their own right below
C:\Windows, where only administrators can write, and both the folder and the task are gone after every job.
"""
