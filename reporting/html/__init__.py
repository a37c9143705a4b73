"""HTML report in one file that opens from disk: summary, distributions and a gallery of cases.

The file needs no server and no network, and its policy forbids both. Images are reduced; numbers are computed by the
caller, at full size::

    run = ReportRun("evaluate", what="checkpoint, 2 levels", facts=[("checkpoint", "run/last.pth")])
    report = ReportWriter("report.html", title="Kvasir test", runs=[run])
    for case in cases:
        report.add(ReportCase(case.name, rows={"evaluate": {"ensemble": {"dice": 0.91}}}, image=case.image))
    run.metrics = metrics
    print(report.close())
"""

from reporting.html.records import ReportCase, ReportRun
from reporting.html.writer import ReportWriter

REPORT_FILE = "report.html"

__all__ = ["REPORT_FILE", "ReportCase", "ReportRun", "ReportWriter"]
