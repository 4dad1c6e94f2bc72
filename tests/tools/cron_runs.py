"""Asks croniter when cron expressions are due: a JSON object a line in, the instants in seconds since 1970 a line out.

Where croniter finds no further instant within its fifty years, the list is shorter than asked for.
"""

import datetime
import json
import sys
import zoneinfo

from croniter import CroniterBadDateError, croniter

for line in sys.stdin:
    case = json.loads(line)
    zone = zoneinfo.ZoneInfo(case["zone"])
    start = datetime.datetime.fromtimestamp(case["after"], zone)
    iterator = croniter(case["expression"], start, ret_type=datetime.datetime)
    runs = []
    try:
        for _ in range(case["count"]):
            runs.append(int(iterator.get_next().timestamp()))
    except CroniterBadDateError:
        pass
    print(json.dumps(runs))
