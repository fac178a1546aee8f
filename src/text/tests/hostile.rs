//! Payloads that have been used to steer terminals, forge rows or hide words, each with what must be shown instead.

use crate::text::SafeText;

pub(crate) const CASES: &[(&str, &str)] = &[
    // Escape sequences
    ("\x1b[2J", "^[[2J"),
    ("\x1b[31mred\x1b[0m", "^[[31mred^[[0m"),
    ("\x1b]0;title\x07", "^[]0;title^G"),
    ("\x1b]0;title\x1b\\", "^[]0;title^[\\"),
    ("\x1b]52;c;cm0gLXJm\x07", "^[]52;c;cm0gLXJm^G"),
    ("\x1b]8;;http://evil/\x1b\\ok\x1b]8;;\x1b\\", "^[]8;;http://evil/^[\\ok^[]8;;^[\\"),
    ("\x1bP$qm\x1b\\", "^[P$qm^[\\"),
    ("\x1b_Gf=100\x1b\\", "^[_Gf=100^[\\"),
    ("\x1b^private\x1b\\", "^[^private^[\\"),
    ("\x1bXstring\x1b\\", "^[Xstring^[\\"),
    ("\x1bc", "^[c"),
    ("\x1b[6n", "^[[6n"),
    ("\x1b[c", "^[[c"),
    ("\x1b[?1049h", "^[[?1049h"),
    ("\x1b[?1000h", "^[[?1000h"),
    ("\x1b[20;1H", "^[[20;1H"),
    ("\x1b(0lqk", "^[(0lqk"),
    ("\x1b#8", "^[#8"),
    ("\x1b", "^["),
    ("\x1b\x1b", "^[^["),
    // C1, as characters
    ("\u{9b}31m", "<U+009B>31m"),
    ("\u{9d}0;x\u{9c}", "<U+009D>0;x<U+009C>"),
    ("\u{90}q\u{9c}", "<U+0090>q<U+009C>"),
    ("\u{85}", "<U+0085>"),
    ("\u{80}", "<U+0080>"),
    // C0
    ("a\nb", "a^Jb"),
    ("a\r\nb", "a^M^Jb"),
    ("safe\roverwritten", "safe^Moverwritten"),
    ("a\x08\x08b", "a^H^Hb"),
    ("bell\x07", "bell^G"),
    ("shift\x0e out \x0f", "shift^N out ^O"),
    ("\x00nul", "^@nul"),
    ("\x7f", "^?"),
    ("\x0b\x0c", "^K^L"),
    ("\x05", "^E"),
    ("\x1a", "^Z"),
    ("\x1c\x1d\x1e\x1f", "^\\^]^^^_"),
    // Tabs
    ("\t|", "        |"),
    ("ab\t|", "ab      |"),
    ("1234567\t|", "1234567 |"),
    ("12345678\t|", "12345678        |"),
    ("漢\t|", "漢      |"),
    // Direction and format
    ("user\u{202e}gpj.exe", "user<U+202E>gpj.exe"),
    ("\u{202a}\u{202b}\u{202c}\u{202d}", "<U+202A><U+202B><U+202C><U+202D>"),
    ("\u{2066}x\u{2069}", "<U+2066>x<U+2069>"),
    ("\u{200e}\u{200f}\u{61c}", "<U+200E><U+200F><U+061C>"),
    ("ro\u{200b}ot", "ro<U+200B>ot"),
    ("ro\u{200c}ot", "ro<U+200C>ot"),
    ("ro\u{200d}ot", "ro<U+200D>ot"),
    ("ro\u{2060}ot\u{feff}", "ro<U+2060>ot<U+FEFF>"),
    ("ad\u{ad}min", "ad<U+00AD>min"),
    ("a\u{34f}b", "a<U+034F>b"),
    ("a\u{180e}b", "a<U+180E>b"),
    ("a\u{e0041}\u{e007f}b", "a<U+E0041><U+E007F>b"),
    ("a\u{fe0e}b\u{fe0f}", "a<U+FE0E>b<U+FE0F>"),
    ("葛\u{e0100}", "葛<U+E0100>"),
    ("one\u{2028}two\u{2029}", "one<U+2028>two<U+2029>"),
    ("\u{e000}\u{f8ff}\u{10fffd}", "<U+E000><U+F8FF><U+10FFFD>"),
    ("\u{378}\u{ffff}\u{fdd0}", "<U+0378><U+FFFF><U+FDD0>"),
    ("\u{115f}\u{1160}\u{3164}\u{ffa0}", "<U+115F><U+1160><U+3164><U+FFA0>"),
    ("\u{2800}", "<U+2800>"),
    ("\u{fff9}a\u{fffb}", "<U+FFF9>a<U+FFFB>"),
    ("\u{600}1", "<U+0600>1"),
    ("\u{1d173}", "<U+1D173>"),
    // Blanks of other kinds
    ("a\u{a0}b\u{3000}c\u{2003}d", "a b c d"),
    ("\u{a0}\u{301}", " <U+0301>"),
    // Combining marks
    ("e\u{301}", "e\u{301}"),
    ("\u{301}x", "<U+0301>x"),
    ("\x1b\u{301}", "^[<U+0301>"),
    ("e\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}", "e\u{301}\u{302}\u{303}\u{304}<U+0305><U+0306>"),
    ("\u{200b}\u{301}", "<U+200B><U+0301>"),
    // Clusters on whose width terminals disagree
    ("👨\u{200d}👩\u{200d}👧|", "?|"),
    ("🏴\u{e0067}\u{e0062}\u{e007f}|", "?|"),
    ("🇩🇪|", "?|"),
    ("🇩|", "?|"),
    ("1\u{fe0f}\u{20e3}|", "?|"),
    ("1\u{20e3}|", "?|"),
    // but for the letters of ASCII that they begin with
    ("wo\u{1a6d}rd e\u{301}\u{93e}", "wo<U+1A6D>rd e\u{301}<U+093E>"),
    ("a\u{20e3} a\u{fe0f}\u{20e3} a🏽", "a<U+20E3> a<U+FE0F><U+20E3> a<U+1F3FD>"),
    ("❤\u{fe0f}|", "?|"),
    ("👍🏽|", "?|"),
    ("^🏽|", "?|"),
    ("\x1b🏽|", "^[<U+1F3FD>|"),
    ("\u{1100}\u{1161}|", "?|"),
    ("가\u{11a8}|", "?|"),
    ("का|", "?|"),
    ("\u{d4e}\x1b", "<U+0D4E>^["),
    ("\u{fdfd}", "?"),
    ("ｶﾞ", "?"),
    // What is harmless stays as it is
    ("Ångström naïve żółć", "Ångström naïve żółć"),
    ("日本語 한국어 中文", "日本語 한국어 中文"),
    ("Привет, κόσμε", "Привет, κόσμε"),
    ("ภาษาไทย กำ", "ภาษาไทย กำ"),
    ("שלום العربية", "שלום العربية"),
    ("😀 ❤ © …", "😀 ❤ © …"),
    ("─│┌█░", "─│┌█░"),
    ("\u{fffd}", "\u{fffd}"),
];

#[test]
fn hostile_payloads_are_shown_and_not_obeyed() {
    assert!(CASES.len() >= 60);
    for (raw, want) in CASES {
        assert_eq!(SafeText::new(raw).as_str(), *want, "of {}", raw.escape_unicode());
        assert_eq!(SafeText::new(want).as_str(), *want, "made again, of {}", raw.escape_unicode());
    }
}

#[test]
fn bytes_that_are_not_utf8_are_shown_by_their_values() {
    for (raw, want) in [
        (&b"\xff\xfe"[..], r"\xFF\xFE"),
        (b"caf\xe9", r"caf\xE9"),
        (b"\x9b31m", r"\x9B31m"),
        (b"\xc0\xaf", r"\xC0\xAF"),
        (b"\xed\xa0\x80", r"\xED\xA0\x80"),
        (b"\xf4\x90\x80\x80", r"\xF4\x90\x80\x80"),
        (b"\xe2\x82", r"\xE2\x82"),
        (b"\xe2\x80\xae", "<U+202E>"),
        (b"\xf0\x9f\x98\x80", "😀"),
        (b"\x1b[2J\xff", r"^[[2J\xFF"),
    ] {
        assert_eq!(SafeText::from_bytes(raw).as_str(), want);
    }
}
