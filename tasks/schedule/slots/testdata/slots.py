"""Works out the wants of slot_test.go from Python's zoneinfo, by brute force and without a line of ours.

    python3 testdata/slots.py < testdata/cases.txt

A case is: zone | timing; option=value … | after | how many slots. A line that begins with # heads a group.
The way is another than the Go code's: it walks the days, asks zoneinfo what each wall-clock time is (both folds), and
for one that doesn't exist walks the minutes up to where the clock leaps over it.
"""

import sys
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

UTC = timezone.utc
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
MONTHS = ["", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
NAMED = {"@yearly": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@hourly": "0 * * * *"}


def last(day):
    return (date(day.year + day.month // 12, day.month % 12 + 1, 1) - timedelta(1)).day


def dow(day):
    return (day.weekday() + 1) % 7


def number(text, names):
    return names.index(text.upper()) if names and text.upper() in names else int(text)


def values(field, low, high, names=None):
    out = set()
    for item in field.split(","):
        span, _, step = item.partition("/")
        if span in "*?":
            a, b = low, high
        else:
            a, _, b = span.partition("-")
            a = number(a, names)
            b = number(b, names) if b else (high if step else a)
        size = high - low + 1
        if b < a:
            b += size
        out |= {(v - low) % size + low for v in range(a, b + 1, int(step or 1))}
    return out


def dom_matches(field, day):
    for item in field.upper().split(","):
        if item == "L":
            hit = day.day == last(day)
        elif item == "LW":
            d = date(day.year, day.month, last(day))
            while d.weekday() > 4:
                d -= timedelta(1)
            hit = d == day
        elif item.startswith("L-"):
            hit = day.day == last(day) - int(item[2:])
        elif item.endswith("W"):
            n = int(item[:-1])
            near = [d for d in range(1, last(day) + 1) if date(day.year, day.month, d).weekday() < 5]
            near.sort(key=lambda d: abs(d - n))
            hit = n <= last(day) and day.day == near[0]
        else:
            hit = day.day in values(item, 1, 31)
        if hit:
            return True
    return False


def dow_matches(field, day):
    for item in field.upper().split(","):
        if "#" in item:
            name, nth = item.split("#")
            hit = dow(day) == number(name, DAYS) % 7
            if nth == "L":
                hit = hit and day.day + 7 > last(day)
            else:
                hit = hit and (day.day - 1) // 7 + 1 == int(nth)
        else:
            hit = dow(day) in {v % 7 for v in values(item, 0, 6, DAYS)}
        if hit:
            return True
    return False


def cron(text):
    f = NAMED.get(text, text).split()
    if len(f) == 5:
        f = ["0"] + f
    sec, minute, hour, dom, month, week = f
    times = [(h, m, s) for h in sorted(values(hour, 0, 23)) for m in sorted(values(minute, 0, 59)) for s in sorted(values(sec, 0, 59))]
    months = values(month, 1, 12, MONTHS[:])
    free = dom[0] in "*?" or week[0] in "*?"

    def on(day):
        if day.month not in months:
            return []
        a, b = dom_matches(dom, day), dow_matches(week, day)
        return times if (a and b if free else a or b) else []

    return on, len(values(hour, 0, 23)) == 24


def clock(text):
    return tuple(int(x) for x in (text + ":00").split(":")[:3])


def entries(kind, text):
    items = [x.strip() for x in text.split("+")]

    def on(day):
        out = set()
        for item in items:
            if kind == "daily":
                out.add(clock(item))
                continue
            days, at = item.split()
            if kind == "weekly":
                hit = dow_matches(days, day)
            else:
                hit = False
                for d in days.split(","):
                    a, _, b = d.partition("-")
                    for n in range(31, 32) if a == "last" else range(int(a), int(b or a) + 1):
                        hit = hit or day.day == min(n, last(day))
            if hit:
                out.add(clock(at))
        return sorted(out)

    return on, False


def instants(wall, zone, rhythm):
    """The instants of a naive wall-clock time."""
    found = []
    for fold in (0, 1):
        u = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if u.astimezone(zone).replace(tzinfo=None) == wall and u not in found:
            found.append(u)
    if rhythm:
        return sorted(found)
    if found:
        return [min(found)]
    u = wall.replace(tzinfo=UTC) - timedelta(hours=30)
    u = u.replace(second=0)
    while u.astimezone(zone).replace(tzinfo=None) < wall:
        u += timedelta(minutes=1)
    return [u]


def slots(zone, timing, options, after):
    kind, _, rest = timing.partition(" ")
    if kind == "every":
        size = {"ms": 1, "s": 1000, "m": 60000, "h": 3600000}
        unit = rest.lstrip("0123456789")
        step = timedelta(milliseconds=int(rest[: -len(unit)]) * size[unit])
        anchor = options.get("from", datetime(1970, 1, 1, tzinfo=UTC))
        u = anchor + (after - anchor) // step * step
        while True:
            u += step
            yield u
    if kind == "at":
        yield from sorted({datetime.fromisoformat(x) for x in rest.split()})
        return
    on, rhythm = cron(rest) if kind == "cron" else entries(kind, rest)
    if "dst" in options:
        rhythm = options["dst"] == "rhythm"
    day = (after.astimezone(zone) - timedelta(3)).date()
    pending = set()
    while day.year < 2200:
        for t in on(day):
            pending |= set(instants(datetime(day.year, day.month, day.day, *t), zone, rhythm))
        ready = sorted(u for u in pending if u < datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(2))
        yield from ready
        pending -= set(ready)
        day += timedelta(1)


def answer(zone, timing, options, after, n):
    lower = max(after, options["from"] - timedelta(microseconds=1)) if "from" in options else after
    got, seen, budget = [], 0, options.get("limit")
    start = lower
    if budget:
        start = options["from"] - timedelta(microseconds=1) if "from" in options else datetime(1, 1, 2, tzinfo=UTC)
    previous = None
    for u in slots(zone, timing, options, start):
        if u <= start or u == previous:
            continue
        previous = u
        seen += 1
        if "until" in options and u >= options["until"] or budget and seen > budget:
            return got + ["end"]
        if u > after:
            got.append(u)
        if len(got) == n:
            return got
    return got + ["end"]


def show(u, zone):
    if u == "end":
        return u
    local = u.astimezone(zone)
    spec = "milliseconds" if local.microsecond else "seconds" if local.second else "minutes"
    return local.isoformat(timespec=spec).replace("+00:00", "Z")


for line in sys.stdin:
    line = line.strip()
    if not line:
        continue
    if line.startswith("#"):
        print("\n\t//" + line[1:])
        continue
    name, timing, after, n = [x.strip() for x in line.split("|")]
    zone = ZoneInfo(name)
    timing, *rest = timing.split("; ")
    options = {}
    for option in rest:
        key, _, value = option.partition("=")
        options[key] = datetime.fromisoformat(value) if key in ("from", "until") else int(value) if key == "limit" else value
    got = answer(zone, timing, options, datetime.fromisoformat(after).astimezone(UTC), int(n))
    print('\t{"%s", "%s", "%s", "%s"},' % (name, "; ".join([timing] + rest), after, " ".join(show(u, zone) for u in got)))
