//! The checker of escapes, which other tests rely on, finds what it is there to find.

use super::escapes::{forbidden, frames, outside_frames};

#[test]
fn the_checker_finds_what_has_no_business_on_a_terminal() {
    for wrong in [
        "\x1b]0;title\x07",
        "\x1b[6n",
        "\x1b[c",
        "\x1b[5i",
        "\x1bc",
        "\x1b[?1000h",
        "\x1b[99;1H",
        "\x1b[2;999H",
        "\r",
        "\n",
        "\x08",
        "\x7f",
        "\u{9b}31m",
        "\u{202e}",
        "\x1b[31;5m",
        "\x1b[3J",
        "\x1b[38;5;300m",
        "\x1bPq\x1b\\",
        "\u{200b}",
        "\x1b[2;9r",
        "\x1b[r",
        "\x1bM",
        "\x1b[2;9r\x1b[9;1H\n",
        "\x1b[1;9r\x1b[9;1H\n\x1b[r",
        "\x1b[2;25r\x1b[25;1H\n\x1b[r",
        "\x1b[2;9r\x1b[8;1H\n\x1b[r",
        "\x1b[2;9r\x1b[9;1H\n\n\n\n\n\n\n\n\x1b[r",
        "\x1b[2;9r\x1b[9;1H\x1bM\x1b[r",
        "\x1b[2;9r\x1b[9;1H\nx\x1b[r",
    ] {
        assert!(!forbidden(wrong.as_bytes(), 80, 24).is_empty(), "{wrong:?}");
    }
    let right =
        "\x1b[?2026h\x1b[1;31mfailed\x1b[m\x1b[24;80H漢\x1b[K\x1b[3C\x1b[38;5;12;48;2;1;2;3m.\x1b[?2026l";
    assert_eq!(forbidden(right.as_bytes(), 80, 24), Vec::<String>::new());
    let moves = "\x1b[2;24r\x1b[24;1H\n\n\x1b[r\x1b[24;1Hnew\x1b[3;9r\x1b[3;1H\x1bM\x1b[r\x1b[3;1Hold";
    assert_eq!(forbidden(moves.as_bytes(), 80, 24), Vec::<String>::new());
    assert_eq!(frames(right).len(), 1);
    assert_eq!(outside_frames(right), "");
}
