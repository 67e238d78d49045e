"""A score for the tests of the pages: two staves, a repeat, a slow movement's worth of bars."""

from __future__ import annotations

BARS, REPEATED = 40, 4
QPM = 120.0


def _note(step: str, octave: int, kind: str, length: int, staff: int) -> str:
    return (
        f"<note><pitch><step>{step}</step><octave>{octave}</octave></pitch><duration>{length}</duration>"
        f"<voice>{staff}</voice><type>{kind}</type><staff>{staff}</staff></note>"
    )


def musicxml(bars: int = BARS) -> str:
    """MusicXML without any names of notes; the first four bars are repeated."""
    text = []
    for bar in range(1, bars + 1):
        head = ""
        if bar == 1:
            head = (
                "<attributes><divisions>1</divisions><key><fifths>1</fifths></key><time><beats>4</beats>"
                "<beat-type>4</beat-type></time><staves>2</staves><clef number='1'><sign>G</sign>"
                "<line>2</line></clef><clef number='2'><sign>F</sign><line>4</line></clef></attributes>"
                "<direction placement='above'><direction-type><metronome><beat-unit>quarter</beat-unit>"
                f"<per-minute>{QPM:.0f}</per-minute></metronome></direction-type><sound tempo='{QPM:.0f}'/>"
                "</direction><direction placement='below'><direction-type><dynamics><mf/></dynamics>"
                "</direction-type></direction>"
            )
        notes = "".join(_note("GABCDEF"[(bar + k) % 7], 4 + (k == 3), "quarter", 1, 1) for k in range(4))
        notes += "<backup><duration>4</duration></backup>"
        notes += _note("GDEC"[bar % 4], 3, "half", 2, 2) + _note("DAGF"[bar % 4], 3, "half", 2, 2)
        tail = "<barline location='right'><repeat direction='backward'/></barline>" * (bar == REPEATED)
        text.append(f"<measure number='{bar}'>{head}{notes}{tail}</measure>")
    return (
        "<?xml version='1.0' encoding='UTF-8'?><score-partwise version='3.1'><part-list><score-part id='P1'>"
        "<part-name>Piano</part-name></score-part></part-list><part id='P1'>"
        + "".join(text)
        + "</part></score-partwise>"
    )
