//! Words that decide whether a full stop ends a sentence. English first, with what is common in the
//! languages around it; an abbreviation that is missing here costs one pause too many, nothing else.

/// How an abbreviation behaves before the next word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Always has its word after it: a title, "e.g.".
    Never,
    /// Ends a sentence when a word follows that starts one.
    Starter,
    /// Ends a sentence when any capital follows.
    Upper,
    /// "No", which is a whole sentence unless a number follows.
    No,
    /// "a.m." and "p.m.": a day or a time zone may follow with a capital.
    TimeOfDay,
}

/// The class of `word`, which is written without its last dot.
pub(super) fn class_of(word: &str) -> Option<Class> {
    let lower = word.to_lowercase();
    let word = lower.as_str();
    let has = |list: &[&str]| list.contains(&word);
    if has(&["a.m", "p.m"]) {
        Some(Class::TimeOfDay)
    } else if word == "no" || word == "nos" {
        Some(Class::No)
    } else if has(NEVER) {
        Some(Class::Never)
    } else if has(STARTER) {
        Some(Class::Starter)
    } else if has(UPPER) {
        Some(Class::Upper)
    } else {
        None
    }
}

/// Whether `word` commonly starts a sentence and is hardly ever the second part of a name.
pub(super) fn starts_sentence(word: &str) -> bool {
    STARTERS.contains(&word.to_lowercase().as_str())
}

/// Whether `word` may follow a time of day in the same sentence.
pub(super) fn is_calendar(word: &str) -> bool {
    CALENDAR.contains(&word.to_lowercase().as_str())
}

/// Whether `word` is a month in a language that writes the day before it with a dot, and months with a capital.
pub(super) fn is_month(word: &str) -> bool {
    MONTHS.contains(&word.to_lowercase().as_str())
}

const NEVER: &[&str] = &[
    "mr", "mrs", "ms", "mx", "dr", "prof", "rev", "hon", "capt", "lt", "col", "gen", "sgt", "cpl", "cmdr",
    "adm", "gov", "sen", "rep", "pres", "supt", "messrs", "mme", "mlle", "fr", "herr", "sra", "srta", "mt",
    "e.g", "eg", "i.e", "ie", "vs", "viz", "cf", "ca", "approx", "z.b", "d.h", "p.ej", "bzw",
];

const STARTER: &[&str] = &[
    "st", "ave", "blvd", "rd", "ln", "hwy", "apt", "ste", "bldg", "fl", "ext", "dept", "div", "est", "inc",
    "ltd", "co", "corp", "llc", "bros", "plc", "gmbh", "jr", "sr", "esq", "ph.d", "m.d", "b.a", "m.a", "mon",
    "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "jan", "feb", "apr", "jun", "jul", "aug", "sep",
    "sept", "oct", "nov", "dec", "hrs", "lb", "lbs", "oz", "ft", "yd", "mi", "km", "qty", "ref", "tel",
    "min", "max", "avg", "misc", "p", "pp", "fig", "figs", "vol", "vols", "ch", "sec", "eq", "ver", "nr",
    "para", "pt", "orig", "govt", "univ", "assn", "intl", "natl", "temp", "incl", "excl", "núm", "num", "kl",
    "tlf", "tél",
];

const UPPER: &[&str] = &["etc", "al", "usw", "ff"];

const STARTERS: &[&str] = &[
    "i", "you", "he", "she", "it", "we", "they", "this", "that", "these", "those", "there", "here", "the",
    "a", "an", "my", "your", "his", "her", "its", "our", "their", "what", "when", "where", "who", "why",
    "how", "which", "if", "but", "and", "or", "so", "then", "also", "however", "please", "would", "could",
    "can", "do", "does", "did", "is", "are", "was", "were", "as", "at", "by", "for", "from", "in", "on",
    "to", "with", "after", "before", "yes", "no", "not", "let", "once", "all", "any", "every", "some",
    "just", "now", "next", "turn", "take", "go", "call", "press", "thank", "thanks", "sorry", "okay", "ok",
    "well", "let's", "i'm", "it's", "that's", "there's", "you'll", "we'll",
];

const CALENDAR: &[&str] = &[
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "mon",
    "tue",
    "wed",
    "thu",
    "fri",
    "sat",
    "sun",
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "jan",
    "feb",
    "mar",
    "apr",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
    "eastern",
    "pacific",
    "central",
    "mountain",
    "est",
    "edt",
    "pst",
    "pdt",
    "cst",
    "cdt",
    "mst",
    "mdt",
    "et",
    "pt",
    "ct",
    "gmt",
    "utc",
    "cet",
    "cest",
    "bst",
    "ist",
    "today",
    "tomorrow",
    "tonight",
];

const MONTHS: &[&str] = &[
    "januar",
    "jänner",
    "februar",
    "märz",
    "april",
    "mai",
    "juni",
    "juli",
    "august",
    "september",
    "oktober",
    "november",
    "dezember",
];
