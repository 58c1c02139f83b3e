"""Holds the decks against plan.toml, and prints the days as a page."""

import html
import re


def manifest(root, exercise):
    """Title and minutes of an exercise; None as long as it has no manifest."""
    path = root / "exercises" / exercise / "exercise.textproto"
    if not path.exists():
        return exercise, None
    text = path.read_text("utf-8")
    return (re.search(r'(?m)^title: "(.*)"', text)[1],
            int(re.search(r"(?m)^minutes: (\d+)", text)[1]))


def parts_of(plan):
    return [part for half_day in plan["half_day"] for part in half_day["parts"]]


def times(plan):
    """All minutes of the plan, and those of them that are for exercises."""
    parts = parts_of(plan)
    return (sum(part["minutes"] for part in parts),
            sum(part["minutes"] for part in parts if "exercise" in part))


def planned(plan, kind):
    """The minutes of each deck, or of each exercise."""
    minutes = {}
    for part in parts_of(plan) + plan["at_home"]:
        if kind in part:
            minutes.setdefault(part[kind], 0)
            minutes[part[kind]] += part["minutes"]
    return minutes


def check(root, plan, decks):
    """Yields where the plan and what is there disagree."""
    for half_day in plan["half_day"]:
        total = sum(part["minutes"] for part in half_day["parts"])
        if total > plan["half_day_minutes"]:
            yield (f"{half_day['title']} takes {total} minutes, "
                   f"{plan['half_day_minutes']} are the limit")
    everything, exercising = times(plan)
    if 2 * exercising < everything:
        yield (f"exercises have {exercising} of {everything} minutes, "
               "which is less than half")

    minutes = planned(plan, "deck")
    for deck in decks:
        if deck.name not in minutes:
            yield f"slides/{deck.name}.md is in no half day"
        elif deck.minutes > minutes[deck.name]:
            yield (f"slides/{deck.name}.md takes {deck.minutes} minutes, "
                   f"and {minutes[deck.name]} are planned")
    for name in minutes.keys() - {deck.name for deck in decks}:
        yield f"there is no slides/{name}.md"

    # The last slide of a deck says how long the exercise behind it takes.
    by_name = {deck.name: deck for deck in decks}
    parts = parts_of(plan)
    for part, following in zip(parts, parts[1:]):
        if part.get("deck") in by_name and "exercise" in following:
            deck = by_name[part["deck"]]
            said = re.search(r"\*\*(\d+) minutes",
                             "\n".join(deck.slides[-1].source))
            if not said or int(said[1]) != following["minutes"]:
                yield (f"the last slide of slides/{deck.name}.md does not say "
                       f"\"**{following['minutes']} minutes\", which "
                       f"exercises/{following['exercise']} has here")

    minutes = planned(plan, "exercise")
    for path in sorted((root / "exercises").glob("*/exercise.textproto")):
        if path.parent.name not in minutes:
            yield (f"exercises/{path.parent.name} is in no half day, and not "
                   "at home either")
    for name, has in minutes.items():
        needs = manifest(root, name)[1]
        if needs not in (None, has):
            yield (f"exercises/{name} has {has} minutes here, and {needs} in "
                   "its exercise.textproto")


def clock(start, minutes):
    hours, rest = divmod(start + minutes, 60)
    return f"{hours}:{rest:02}"


def page(root, plan, decks):
    """The index page: the days, and the decks."""
    by_name = {deck.name: deck for deck in decks}
    days = ""
    for half_day in plan["half_day"]:
        hours, minutes = map(int, half_day["start"].split(":"))
        now, spent = hours * 60 + minutes, 0
        rows = ""
        for part in half_day["parts"]:
            if "deck" in part:
                kind, what = "deck", by_name[part["deck"]].title
                what = (f'<a href="{part["deck"]}.html">'
                        f'{part["deck"][:2]} {html.escape(what)}</a>')
            elif "exercise" in part:
                name = part["exercise"]
                kind = "exercise"
                what = html.escape(f"Exercise {name[:2]}: "
                                   f"{manifest(root, name)[0]}")
                if "part" in part:
                    what += f", {html.escape(part['part'])}"
                spent += part["minutes"]
            else:
                kind, what = "break", "Break"
            rows += (f'<tr class="{kind}"><td>{clock(now, 0)}</td>'
                     f"<td>{what}</td><td>{part['minutes']}</td></tr>\n")
            now += part["minutes"]
        total = now - hours * 60 - minutes
        days += (f"<h2>{html.escape(half_day['title'])}</h2>\n<table>\n"
                 "<tr><th>at</th><th>what</th><th>minutes</th></tr>\n"
                 f"{rows}<tr class=\"sum\"><td>{clock(now, 0)}</td><td>End; "
                 f"{spent} minutes of it in exercises</td><td>{total}</td>"
                 "</tr>\n</table>\n")
    home = "".join(
        f"<li>Exercise {e['exercise'][:2]}: "
        f"{html.escape(manifest(root, e['exercise'])[0])}, "
        f"{e['minutes']} minutes</li>" for e in plan["at_home"])
    rows = "".join(
        f'<tr><td><a href="{deck.name}.html">{deck.name[:2]} '
        f"{html.escape(deck.title)}</a></td><td>"
        f'<a href="{deck.name}.pdf">PDF</a></td><td>{len(deck.slides)}</td>'
        f"<td>{deck.minutes}</td></tr>\n" for deck in decks)
    everything, exercising = times(plan)
    template = (root / "slides/index.html").read_text("utf-8")
    for name, value in {
            "days": days, "home": home, "decks": rows,
            "slides": sum(len(deck.slides) for deck in decks),
            "minutes": sum(deck.minutes for deck in decks),
            "share": f"{exercising} of {everything} minutes "
                     f"({exercising * 100 // everything} %)"}.items():
        template = template.replace("{{" + name + "}}", str(value))
    return template
