"""The XML of scheduled tasks as a coordinator would register them."""


def task_xml(
    *,
    user: str = "S-1-5-18",
    command: str = "powershell.exe",
    arguments: str = "",
    triggers: str = "",
    run_level: str = "LeastPrivilege",
    limit: str = "PT72H",
    enabled: bool = True,
    more_actions: str = "",
) -> str:
    """Return a definition with one program."""
    return (
        '<?xml version="1.0" encoding="UTF-16"?>'
        '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">'
        f"<Triggers>{triggers}</Triggers>"
        f'<Principals><Principal id="Author"><UserId>{user}</UserId><RunLevel>{run_level}</RunLevel></Principal></Principals>'
        f"<Settings><Enabled>{str(enabled).lower()}</Enabled><ExecutionTimeLimit>{limit}</ExecutionTimeLimit></Settings>"
        f'<Actions Context="Author"><Exec><Command>{command}</Command><Arguments>{arguments}</Arguments></Exec>'
        f"{more_actions}</Actions></Task>"
    )
