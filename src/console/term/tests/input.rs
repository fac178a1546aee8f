#![allow(clippy::unwrap_used)]

use super::*;
use crate::console::keymap::Key;
use proptest::prelude::*;

const PATIENCE: Duration = Duration::from_millis(25);

/// What these bytes mean when they come in pieces of this length, and nothing comes afterwards.
fn decoded(bytes: &[u8], piece: usize) -> Vec<Event> {
    let (mut decoder, mut out) = (Decoder::new(PATIENCE), Vec::new());
    let now = Instant::now();
    for part in bytes.chunks(piece.max(1)) {
        decoder.feed(part, now, &mut out);
        // Too early to give up.
        decoder.idle(now, &mut out);
    }
    decoder.idle(now + PASTE_END, &mut out);
    assert_eq!(decoder.waits(now), None, "nothing is held for ever");
    out
}

fn keys(bytes: &[u8]) -> Vec<Key> {
    let event = |event| match event {
        Event::Key(key) => Key::of(key),
        other => panic!("{other:?}"),
    };
    decoded(bytes, 1).into_iter().filter_map(event).collect()
}

#[test]
fn every_key_that_means_something_is_understood_byte_by_byte() {
    let known: &[(&str, Key)] = &[
        ("j", Key::Char('j')),
        ("ß", Key::Char('ß')),
        ("漢", Key::Char('漢')),
        ("\r", Key::Enter),
        ("\t", Key::Tab),
        ("\x7f", Key::Backspace),
        ("\x03", Key::Ctrl('c')),
        ("\x1a", Key::Ctrl('z')),
        ("\x1b", Key::Esc),
        ("\x1b[A", Key::Up),
        ("\x1bOB", Key::Down),
        ("\x1b[1;5C", Key::Right),
        ("\x1b[D", Key::Left),
        ("\x1b[Z", Key::BackTab),
        ("\x1b[H", Key::Home),
        ("\x1b[4~", Key::End),
        ("\x1b[5~", Key::PageUp),
        ("\x1b[6~", Key::PageDown),
        ("\x1b[3~", Key::Delete),
        ("\x1bOM", Key::Enter),
        ("\x1bOP", Key::F(1)),
        ("\x1bOR", Key::F(3)),
        ("\x1b[11~", Key::F(1)),
        ("\x1b[15~", Key::F(5)),
        ("\x1b[21~", Key::F(10)),
        ("\x1b[24~", Key::F(12)),
        ("\x1b[[A", Key::F(1)),
        ("\x1b[[E", Key::F(5)),
        ("\x1b[15;2~", Key::Other),
        ("\x1b[2~", Key::Other),
        ("\x1b[E", Key::Other),
        ("\x1bx", Key::Other),
    ];
    for (bytes, key) in known {
        assert_eq!(keys(bytes.as_bytes()), [*key], "{bytes:?}");
    }
}

#[test]
fn an_escape_is_a_key_only_when_nothing_follows_in_time() {
    let (mut decoder, mut out) = (Decoder::new(PATIENCE), Vec::new());
    let now = Instant::now();
    decoder.feed(b"\x1b", now, &mut out);
    decoder.idle(now + PATIENCE / 2, &mut out);
    assert!(out.is_empty());
    decoder.feed(b"[", now + PATIENCE / 2, &mut out);
    decoder.feed(b"A", now + PATIENCE, &mut out);
    assert_eq!(out, [key(KeyCode::Up, KeyModifiers::NONE)]);
    out.clear();
    decoder.feed(b"\x1b", now, &mut out);
    decoder.idle(now + PATIENCE, &mut out);
    assert_eq!(out, [key(KeyCode::Esc, KeyModifiers::NONE)]);
}

#[test]
fn escapes_in_a_row_are_as_many_keys_and_alt_is_no_key_of_ours() {
    assert_eq!(keys(b"\x1b\x1b\x1b"), [Key::Esc; 3]);
    assert_eq!(keys(b"\x1b\x1b[A"), [Key::Esc, Key::Up]);
    assert_eq!(keys(b"\x1bqj"), [Key::Other, Key::Char('j')], "Alt-q does not quit");
    assert_eq!(keys(b"\x1b["), [Key::Other], "Alt-[");
}

#[test]
fn a_paste_is_text_and_never_keys() {
    for piece in [1, 3, 7, 1000] {
        let paste = decoded(b"\x1b[200~qy\r\x1b[A\x03 done\x1b[201~j", piece);
        let text = Event::Paste("qy\r\x1b[A\x03 done".into());
        assert_eq!(paste, [text, key(KeyCode::Char('j'), KeyModifiers::NONE)], "{piece}");
    }
}

#[test]
fn a_paste_without_an_end_gives_the_keys_back_and_one_without_a_limit_is_cut() {
    assert_eq!(decoded(b"\x1b[200~abc", 4), [Event::Paste("abc".into())]);
    let long = [PASTE_BEGINS, &vec![b'x'; 3 * PASTE], PASTE_ENDS].concat();
    let [Event::Paste(text)] = &decoded(&long, 1000)[..] else { panic!() };
    assert_eq!(text.len(), PASTE);
}

#[test]
fn answers_that_nobody_here_asked_for_are_no_keys() {
    for answer in
        ["\x1b[5;7R", "\x1b[?62;4c", "\x1b]11;rgb:0000/0000/0000\x1b\\", "\x1bP1$r0m\x1b\\", "\x1b]0;q\x07"]
    {
        assert_eq!(decoded(answer.as_bytes(), 1), [], "{answer:?}");
    }
}

#[test]
fn the_mouse_is_told_in_sgr() {
    let down = MouseEventKind::Down(MouseButton::Left);
    for (bytes, kind) in [("\x1b[<0;5;7M", down), ("\x1b[<65;5;7M", MouseEventKind::ScrollDown)] {
        let [Event::Mouse(mouse)] = decoded(bytes.as_bytes(), 2)[..] else { panic!() };
        assert_eq!((mouse.kind, mouse.column, mouse.row), (kind, 4, 6));
    }
}

proptest! {
    #[test]
    fn bytes_mean_the_same_however_the_line_cuts_them(
        parts in proptest::collection::vec(
            prop_oneof![
                Just(b"\x1b[A".to_vec()), Just(b"\x1bOB".to_vec()), Just(b"\x1b[6~".to_vec()),
                Just(b"\x1b[200~a\x1bb\x1b[201~".to_vec()), Just("ü".as_bytes().to_vec()), Just(b"j".to_vec()),
                Just(b"\x1b[<0;1;1M".to_vec()), Just(b"\x1b]0;x\x07".to_vec()),
            ], 0..12),
        piece in 1..9usize,
    ) {
        let bytes = parts.concat();
        prop_assert_eq!(decoded(&bytes, piece), decoded(&bytes, bytes.len()));
    }

    #[test]
    fn no_bytes_are_held_for_ever_and_none_make_it_panic(
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x1b), Just(b'['), Just(b';')], 0..300),
        piece in 1..40usize,
    ) {
        decoded(&bytes, piece);
        // Afterwards a key is a key again.
        let (mut decoder, mut out) = (Decoder::new(PATIENCE), Vec::new());
        let now = Instant::now();
        decoder.feed(&bytes, now, &mut out);
        decoder.idle(now + PASTE_END, &mut out);
        out.clear();
        decoder.feed(b"j", now, &mut out);
        prop_assert_eq!(out, [key(KeyCode::Char('j'), KeyModifiers::NONE)]);
    }
}
