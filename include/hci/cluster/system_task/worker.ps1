# Searches, downloads or installs with this machine's own Windows Update Agent, as SYSTEM, in a scheduled task.
# This text is fixed: nothing is ever put into it. What to do stands in arguments.json, how it went in the answer file.
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# Every value is checked here, before anything uses it. What this function throws ends the task with exit code 87.
function Read-Arguments {
    param([string] $Folder)
    $id = '\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z'
    $path = Join-Path -Path $Folder -ChildPath 'arguments.json'
    $given = Get-Content -LiteralPath $path -Raw -Encoding UTF8 | ConvertFrom-Json
    if ($given.format -isnot [int] -or $given.format -ne 1) { throw 'format' }
    if ($given.run -isnot [string] -or $given.run -cnotmatch $id) { throw 'run' }
    if ($given.job -isnot [string] -or $given.job -cnotmatch $id) { throw 'job' }
    if ($given.mode -isnot [string] -or @('scan', 'download', 'install') -cnotcontains $given.mode) { throw 'mode' }
    if ($given.include_recommended -isnot [bool]) { throw 'include_recommended' }
    if ($given.searches -isnot [array] -or $given.searches.Count -lt 1 -or $given.searches.Count -gt 32) { throw 'searches' }
    foreach ($search in $given.searches) {
        if ($search -isnot [string] -or $search.Length -lt 1 -or $search.Length -gt 120000) { throw 'searches' }
    }
    $answer = Join-Path -Path $Folder -ChildPath ('answer-' + $given.job + '.json')
    if ($given.answer -isnot [string] -or $given.answer -ne $answer) { throw 'answer' }
    return $given
}

# Tells whether the file was written. Somebody who reads it, or looks it over for viruses, can keep it from being replaced for a
# moment: that must not end an installation. Move-Item takes the old file away first: a reader finds one, the other, or none.
function Write-Answer {
    param($Answer, [string] $Path, [int] $Tries)
    $invariant = [System.Globalization.CultureInfo]::InvariantCulture
    $new = $Path + '.new'
    for ($try = 1; $try -le $Tries; $try++) {
        try {
            $Answer.heartbeat = [System.DateTime]::UtcNow.ToString('yyyy-MM-ddTHH:mm:ssZ', $invariant)
            ConvertTo-Json -InputObject $Answer -Depth 6 | Set-Content -LiteralPath $new -Encoding UTF8
            Move-Item -LiteralPath $new -Destination $Path -Force
            return $true
        }
        catch { Start-Sleep -Milliseconds 250 }
    }
    return $false
}

# Where updates come from (Windows Update, Microsoft Update, WSUS) is left as the machine is configured. A search that succeeded
# with errors (3) may have missed some: it counts, and the answer says so.
function Find-Update {
    param($Searcher, [string] $Criteria, [bool] $IncludeRecommended)
    $result = $Searcher.Search($Criteria)
    if ($result.ResultCode -ne 2 -and $result.ResultCode -ne 3) { throw ('the search ended with ' + $result.ResultCode) }
    if ($result.ResultCode -eq 3) { $script:incomplete = $true }
    foreach ($update in $result.Updates) {
        if ($IncludeRecommended -or -not $update.BrowseOnly) { $update }
    }
}

# What wants a person: nobody is there to accept licence terms or to answer an installer.
function Get-Asking {
    param($Update)
    if (-not $Update.EulaAccepted) { return 'licence-terms' }
    $behavior = $Update.InstallationBehavior
    if ($null -ne $behavior -and $behavior.CanRequestUserInput) { return 'user-input' }
    return ''
}

# The day in UTC on which the server that deploys the update has last published it.
function Get-Published {
    param($Update)
    $moment = $Update.LastDeploymentChangeTime
    if ($moment -isnot [System.DateTime]) { return '' }
    $invariant = [System.Globalization.CultureInfo]::InvariantCulture
    return $moment.ToString('yyyy-MM-dd', $invariant)
}

function Show-Update {
    param($Update)
    return [ordered]@{
        update_id = [string] $Update.Identity.UpdateID; title = [string] $Update.Title
        description = [string] $Update.Description; asks = Get-Asking -Update $Update
        published = Get-Published -Update $Update
    }
}

# One update at a time, so that the answer file can tell how far it is. Licence terms are never accepted for anybody.
function Invoke-Update {
    param($Session, $Update, [string] $Mode)
    $outcome = Show-Update -Update $Update
    $outcome.result_code = 4; $outcome.hresult = 0; $outcome.restart_required = $false
    # WU_E_EULAS_DECLINED and WU_E_UH_CANREQUIREINPUT.
    if ($outcome.asks -eq 'licence-terms') { $outcome.hresult = -2145124317; return $outcome }
    if ($outcome.asks -eq 'user-input') { $outcome.hresult = -2145116150; return $outcome }
    try {
        $one = New-Object -ComObject 'Microsoft.Update.UpdateColl'
        [void] $one.Add($Update)
        if ($Mode -eq 'download') {
            $downloader = $Session.CreateUpdateDownloader()
            $downloader.Updates = $one
            $each = $downloader.Download().GetUpdateResult(0)
        }
        else {
            $installer = $Session.CreateUpdateInstaller()
            $installer.ForceQuiet = $true
            $installer.AllowSourcePrompts = $false
            $installer.Updates = $one
            $each = $installer.Install().GetUpdateResult(0)
            $outcome.restart_required = [bool] $each.RebootRequired
        }
        $outcome.result_code = [int] $each.ResultCode
        $outcome.hresult = [int] $each.HResult
    }
    catch { $outcome.hresult = [int] $_.Exception.GetBaseException().HResult }
    return $outcome
}

try {
    $folder = Join-Path -Path $env:SystemRoot -ChildPath 'HciUpdate'
    $arguments = Read-Arguments -Folder $folder
}
catch { exit 87 }

$answer = [ordered]@{
    format = 1; run = $arguments.run; job = $arguments.job; mode = $arguments.mode; state = 'working'; heartbeat = ''
    doing = ''; done = 0; total = 0; restart_pending = $null; searches = @(); results = @(); error = $null
    incomplete = $false
}
$incomplete = $false
# Who cannot say how it goes does not begin: 29 is ERROR_WRITE_FAULT.
if (-not (Write-Answer -Answer $answer -Path $arguments.answer -Tries 40)) { exit 29 }
try {
    $session = New-Object -ComObject 'Microsoft.Update.Session'
    $session.ClientApplicationID = 'HciUpdate'
    $searcher = $session.CreateUpdateSearcher()
    if ($arguments.mode -eq 'scan') {
        $answer.total = $arguments.searches.Count
        foreach ($criteria in $arguments.searches) {
            $answer.doing = 'searching'
            [void] (Write-Answer -Answer $answer -Path $arguments.answer -Tries 8)
            $found = @(Find-Update -Searcher $searcher -Criteria $criteria -IncludeRecommended $arguments.include_recommended)
            $shown = @(foreach ($update in $found) { Show-Update -Update $update })
            $answer.searches += [ordered]@{ criteria = $criteria; updates = $shown }
            $answer.done++
        }
    }
    else {
        $answer.doing = 'searching'
        [void] (Write-Answer -Answer $answer -Path $arguments.answer -Tries 8)
        $updates = @(foreach ($criteria in $arguments.searches) {
            Find-Update -Searcher $searcher -Criteria $criteria -IncludeRecommended $arguments.include_recommended
        })
        $answer.total = $updates.Count
        foreach ($update in $updates) {
            $answer.doing = [string] $update.Title
            [void] (Write-Answer -Answer $answer -Path $arguments.answer -Tries 8)
            $answer.results += Invoke-Update -Session $session -Update $update -Mode $arguments.mode
            $answer.done++
        }
    }
    $system = New-Object -ComObject 'Microsoft.Update.SystemInfo'
    $answer.restart_pending = [bool] $system.RebootRequired
    $answer.incomplete = $incomplete
    $answer.state = 'done'
}
catch {
    $answer.state = 'failed'
    $answer.error = [ordered]@{
        hresult = [int] $_.Exception.GetBaseException().HResult; message = [string] $_.Exception.Message
    }
}
$answer.doing = ''
if (-not (Write-Answer -Answer $answer -Path $arguments.answer -Tries 240)) { exit 29 }
exit 0
