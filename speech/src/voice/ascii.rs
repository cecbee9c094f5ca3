//! Text for a voice that reads ASCII only: accents come off, signs become words, the rest becomes a space.

/// `text` in ASCII, or `None` when there is nothing left to say.
pub(super) fn spoken_ascii(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() + 8);
    text.chars().for_each(|c| push_ascii(&mut out, c));
    out.chars().any(|c| c.is_ascii_alphanumeric()).then_some(out)
}

/// Appends what stands for one character.
pub(super) fn push_ascii(out: &mut String, c: char) {
    match c {
        ' '..='~' => out.push(c),
        _ => out.push_str(replacement(c)),
    }
}

const fn replacement(c: char) -> &'static str {
    match c {
        'À'..='Å' | 'Ā' | 'Ă' | 'Ą' => "A",
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ª' => "a",
        'Æ' => "Ae",
        'æ' => "ae",
        'Ç' | 'Ć' | 'Č' => "C",
        'ç' | 'ć' | 'č' => "c",
        'Ď' | 'Đ' | 'Ð' => "D",
        'ď' | 'đ' | 'ð' => "d",
        'È'..='Ë' | 'Ē' | 'Ė' | 'Ę' | 'Ě' => "E",
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'Ğ' => "G",
        'ğ' => "g",
        'Ì'..='Ï' | 'Ī' | 'Į' | 'İ' => "I",
        'ì'..='ï' | 'ī' | 'į' | 'ı' => "i",
        'Ł' => "L",
        'ł' => "l",
        'Ñ' | 'Ń' | 'Ň' => "N",
        'ñ' | 'ń' | 'ň' => "n",
        'Ò'..='Ö' | 'Ø' | 'Ō' | 'Ő' => "O",
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => "o",
        'Œ' => "Oe",
        'œ' => "oe",
        'Ř' => "R",
        'ř' => "r",
        'Ś' | 'Š' | 'Ş' | 'Ș' => "S",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'Ť' | 'Ţ' | 'Ț' => "T",
        'ť' | 'ţ' | 'ț' => "t",
        'Ù'..='Ü' | 'Ū' | 'Ů' | 'Ű' => "U",
        'ù'..='ü' | 'ū' | 'ů' | 'ű' => "u",
        'Ý' => "Y",
        'ý' | 'ÿ' => "y",
        'Ź' | 'Ż' | 'Ž' => "Z",
        'ź' | 'ż' | 'ž' => "z",
        'ß' => "ss",
        'Þ' => "Th",
        'þ' => "th",
        '‘' | '’' | '‚' | '´' => "'",
        '“' | '”' | '„' | '«' | '»' => "\"",
        '‐' | '‑' => "-",
        '–' | '—' => ", ",
        '…' => "...",
        '€' => " euro ",
        '£' => " pounds ",
        '¥' => " yen ",
        '©' => " copyright ",
        '°' => " degrees ",
        '×' => " times ",
        '÷' => " divided by ",
        '±' => " plus or minus ",
        '½' => " one half ",
        '¼' => " one quarter ",
        '¾' => " three quarters ",
        '§' => " section ",
        '\u{300}'..='\u{36F}' => "",
        _ => " ",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_come_off_and_signs_become_words() {
        assert_eq!(spoken_ascii("Café “Zoë” — 5 €…").as_deref(), Some("Cafe \"Zoe\" ,  5  euro ..."));
        assert_eq!(spoken_ascii("e\u{301}t\u{e9}").as_deref(), Some("ete"));
        assert_eq!(spoken_ascii("20°").as_deref(), Some("20 degrees "));
    }

    #[test]
    fn what_it_cannot_say_is_none_and_never_reaches_the_voice() {
        assert_eq!(spoken_ascii("你好。"), None);
        assert_eq!(spoken_ascii("..."), None);
        assert_eq!(spoken_ascii("a\0b\n").as_deref(), Some("a b "));
    }
}
