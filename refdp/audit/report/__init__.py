"""What scores of canaries show about epsilon, beside what theory says: a table, a verdict, a picture.

    found = report(scores, Design(delta=1e-5), Theory(lower=3.9, upper=4.0), claimed=4.0, verdict_by="gdp")
    print(as_text(found)); document = found.to_json(); draw(found, Path("audit.svg"))

Theory      what is proved of the run's epsilon, and how it drew its batches; every field may be unknown
report      every registered estimator on these scores; the verdict is by one of them, named beforehand
Report      the table; ``exit_code`` is 3 refuted, 2 the declared estimator refused, 0 else
as_text     for a terminal
draw        for a paper (.svg, .png, .pdf)
check_target    refuses a file that no picture can be written to
refuse_no_bound    an error where the declared estimator allows no bound
"""

from refdp.audit.report.picture import check_target, draw
from refdp.audit.report.row import Row
from refdp.audit.report.table import Report, refuse_no_bound, report
from refdp.audit.report.text import as_text
from refdp.audit.report.theory import Theory

__all__ = ["Report", "Row", "Theory", "as_text", "check_target", "draw", "refuse_no_bound", "report"]
