//! Which services a conversation asks: by the configuration, the keys that were found, and the lab for those without an
//! address. A part whose key is missing is left alone, and that is said.

use super::secrets::Places;
use offhook_config::{AllInOne, EarsProtocol, Realtime, Service, Speech as Wanted, TrueVoice, VoiceProtocol};
use offhook_lab::Lab;
use offhook_speech::all_in_one::AllInOneSettings;
use offhook_speech::llm::ChatSettings;
use offhook_speech::realtime::RealtimeSettings;
use offhook_speech::stt::{DeepgramSettings, Dialect, EarsSettings};
use offhook_speech::truevoice::{PoolSettings, TrueVoiceSettings};
use offhook_speech::tts::{AuraSettings, ElevenSettings, VoiceSettings};
use offhook_speech::wire::audio::AudioFormat;
use offhook_speech::wire::url::{BadUrl, Url};
use offhook_speech::wyoming::{WyomingEarsSettings, WyomingVoiceSettings};
use offhook_units::Pii;
use std::path::Path;

/// The longest that the language model may take to begin, ms: a local one may have to load first.
const FIRST_WORD_MS: u32 = 10_000;
/// Silence that ends what a caller says, ms.
const ENDPOINTING_MS: u32 = 300;
/// Silence of the caller that ends an utterance where the appliance's own ears decide, ms. They hear it late already.
const WYOMING_ENDPOINTING_MS: u32 = 200;
/// Each call has its own rate and format; these are never asked for.
const RATE_HZ: u32 = 8_000;

/// A service's key.
#[derive(Debug)]
pub(super) enum Key {
    /// Here it is.
    Here(Pii<String>),
    /// The service asks for none.
    NotAsked,
    /// The service cannot be asked, and this is why: it asks for a key and there is none, or it is nowhere.
    Missing(String),
}

impl Key {
    /// The key of a service. One in the open internet asks for one; one without TLS is on this machine or beside it.
    pub(super) fn read(wanted: &Wanted, service: &Service, places: &Places) -> Self {
        Self::of(wanted, service.url.as_deref(), service.key_file.as_deref(), places)
    }

    /// Of what does all of it.
    pub(super) fn of_all_in_one(wanted: &Wanted, service: &AllInOne, places: &Places) -> Self {
        match service {
            AllInOne::TrueVoice(service) => Self::of_truevoice(wanted, service, places),
            AllInOne::Realtime(Realtime { service, .. }) => Self::read(wanted, service, places),
        }
    }

    /// TrueVoice's, which the environment may hold itself.
    fn of_truevoice(wanted: &Wanted, service: &TrueVoice, places: &Places) -> Self {
        let url = service.ws_url.as_deref().or(service.url.as_deref());
        match &places.truevoice_key {
            Some(key) if is_somewhere(wanted, url) => Self::Here(key.clone()),
            _ => Self::of(wanted, url, service.key_file.as_deref(), places),
        }
    }

    fn of(wanted: &Wanted, url: Option<&str>, file: Option<&Path>, places: &Places) -> Self {
        if !is_somewhere(wanted, url) {
            return Self::Missing("no address is given".to_owned());
        }
        let is_far = url.is_some_and(|url| url.starts_with("https://") || url.starts_with("wss://"));
        Self::of_file(file, is_far, places)
    }

    fn of_file(file: Option<&Path>, is_far: bool, places: &Places) -> Self {
        match file {
            Some(file) => match places.read(file) {
                Ok(key) => Self::Here(key),
                Err((path, error)) => Self::Missing(format!("the key file {} {error}", path.display())),
            },
            None if is_far => Self::Missing("no key file is given".to_owned()),
            None => Self::NotAsked,
        }
    }

    /// The key, if there is one.
    fn here(&self) -> Option<Pii<String>> {
        if let Self::Here(key) = self { Some(key.clone()) } else { None }
    }

    /// The key, or an empty one.
    fn or_empty(&self) -> Pii<String> {
        self.here().unwrap_or_else(|| Pii::new(String::new()))
    }

    /// What is to be said when the part called `name` is left alone, and what callers have instead.
    pub(super) fn complaint(&self, name: &str, instead: &str) -> Option<String> {
        match self {
            Self::Missing(why) => Some(format!("{name} is off, since {why}: {instead}")),
            Self::Here(_) | Self::NotAsked => None,
        }
    }

    pub(super) const fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_))
    }
}

/// Whether a service can be asked: without an address it is in the lab, if that shall be asked.
const fn is_somewhere(wanted: &Wanted, url: Option<&str>) -> bool {
    url.is_some() || wanted.is_lab_asked
}

/// Whether one of the parts that are asked is to be found in the lab, and whether it is asked by Wyoming there.
pub(super) fn needs_lab(wanted: &Wanted) -> (bool, bool) {
    if !wanted.is_lab_asked {
        return (false, false);
    }
    match &wanted.all_in_one {
        Some(AllInOne::TrueVoice(service)) => {
            return (service.ws_url.is_none() && service.url.is_none(), false);
        }
        Some(AllInOne::Realtime(Realtime { service, .. })) => return (service.url.is_none(), false),
        None => {}
    }
    let wyoming = [
        wanted.voice.url.is_none() && wanted.voice_protocol == VoiceProtocol::Wyoming,
        wanted.ears.url.is_none() && wanted.ears_protocol == EarsProtocol::Wyoming,
    ];
    let any = [&wanted.voice, &wanted.ears, &wanted.mind].iter().any(|service| service.url.is_none());
    (any, wyoming.contains(&true))
}

/// Where a service is; without an address it is in the lab, at `path` below it.
fn place(service: &Service, lab: Option<&Lab>, path: &str) -> Result<Url, BadUrl> {
    match (&service.url, lab) {
        (Some(url), _) => Url::parse(url),
        (None, Some(lab)) => Url::parse(&format!("http://{}{path}", lab.addresses().http)),
        (None, None) => Url::parse(""),
    }
}

fn wyoming_place(service: &Service, lab: Option<&Lab>) -> Result<Url, BadUrl> {
    match (&service.url, lab.and_then(|lab| lab.addresses().wyoming)) {
        (Some(url), _) => Url::parse(url),
        (None, Some(address)) => Url::parse(&format!("tcp://{address}")),
        (None, None) => Url::parse(""),
    }
}

/// The voice.
pub(super) fn voice(wanted: &Wanted, key: &Key, lab: Option<&Lab>) -> Result<VoiceSettings, BadUrl> {
    let service = &wanted.voice;
    let named = |usual: &str| wanted.voice_id.clone().unwrap_or_else(|| usual.to_owned());
    let eleven = || {
        Ok::<_, BadUrl>(ElevenSettings {
            base: place(service, lab, "")?,
            key: key.or_empty(),
            voice_id: named("21m00Tcm4TlvDq8ikWAM"),
            model_id: service.model.clone().unwrap_or_else(|| "eleven_flash_v2_5".to_owned()),
            language: wanted.language.clone(),
            format: AudioFormat::Mulaw8k,
        })
    };
    Ok(match wanted.voice_protocol {
        VoiceProtocol::ElevenLabs => VoiceSettings::ElevenMulti(eleven()?),
        VoiceProtocol::ElevenLabsSingle => VoiceSettings::ElevenSingle(eleven()?),
        VoiceProtocol::Deepgram => VoiceSettings::Aura(AuraSettings {
            base: place(service, lab, "")?,
            key: key.or_empty(),
            model: named("aura-2-thalia-en"),
            format: AudioFormat::Mulaw8k,
        }),
        VoiceProtocol::Wyoming => VoiceSettings::Wyoming(WyomingVoiceSettings {
            url: wyoming_place(service, lab)?,
            voice: wanted.voice_id.clone(),
            language: wanted.language.clone(),
        }),
    })
}

/// Recognition.
pub(super) fn ears(wanted: &Wanted, key: &Key, lab: Option<&Lab>) -> Result<EarsSettings, BadUrl> {
    let service = &wanted.ears;
    let deepgram = |dialect, usual: &str| {
        Ok::<_, BadUrl>(EarsSettings::Deepgram(DeepgramSettings {
            base: place(service, lab, "")?,
            key: key.or_empty(),
            dialect,
            model: service.model.clone().unwrap_or_else(|| usual.to_owned()),
            language: wanted.language.clone(),
            endpointing_ms: ENDPOINTING_MS,
            rate_hz: RATE_HZ,
        }))
    };
    match wanted.ears_protocol {
        EarsProtocol::Deepgram => deepgram(Dialect::V1, "nova-3"),
        EarsProtocol::DeepgramFlux => deepgram(Dialect::Flux, "flux-general-en"),
        EarsProtocol::Wyoming => Ok(EarsSettings::Wyoming(WyomingEarsSettings {
            url: wyoming_place(service, lab)?,
            model: service.model.clone(),
            language: wanted.language.clone(),
            endpointing_ms: WYOMING_ENDPOINTING_MS,
            rate_hz: RATE_HZ,
        })),
    }
}

/// What does all of it.
pub(super) fn all_in_one(
    wanted: &Wanted,
    service: &AllInOne,
    key: &Key,
    lab: Option<&Lab>,
) -> Result<AllInOneSettings, BadUrl> {
    Ok(match service {
        AllInOne::TrueVoice(service) => truevoice(service, key, lab)?.into(),
        AllInOne::Realtime(service) => realtime(wanted, service, key, lab)?.into(),
    })
}

/// TrueVoice: its socket as it is given, or at its usual place below the service, or in the lab.
fn truevoice(service: &TrueVoice, key: &Key, lab: Option<&Lab>) -> Result<TrueVoiceSettings, BadUrl> {
    let url = match (&service.ws_url, &service.url, lab) {
        (Some(socket), ..) => Url::parse(socket)?,
        (None, Some(url), _) => Url::parse(url)?.join("ws/conversation"),
        (None, None, Some(lab)) => Url::parse(&format!("http://{}", lab.addresses().http))?,
        (None, None, None) => Url::parse("")?,
    };
    Ok(TrueVoiceSettings { url, key: key.here() })
}

/// Connections that wait for calls, if any shall. A session of Realtime costs its account one of those that it may have:
/// none of them waits.
pub(super) fn pool(service: &AllInOne) -> Option<PoolSettings> {
    let AllInOne::TrueVoice(TrueVoice { min_idle, max_idle, max_age, .. }) = *service else { return None };
    let settings = PoolSettings { min_idle: min_idle.into(), max: max_idle.into(), max_age };
    (max_idle > 0).then_some(settings)
}

/// The language model.
pub(super) fn mind(wanted: &Wanted, key: &Key, lab: Option<&Lab>) -> Result<ChatSettings, BadUrl> {
    let service = &wanted.mind;
    Ok(ChatSettings {
        base: place(service, lab, "/v1")?,
        key: key.here(),
        model: configured(service),
        first_word_ms: FIRST_WORD_MS,
    })
}

/// The model of a service that has no usual one besides the configuration's default.
fn configured(service: &Service) -> String {
    service.model.clone().unwrap_or_default()
}

/// OpenAI Realtime.
fn realtime(
    wanted: &Wanted,
    service: &Realtime,
    key: &Key,
    lab: Option<&Lab>,
) -> Result<RealtimeSettings, BadUrl> {
    let Realtime { service, ears_model, voice } = service;
    Ok(RealtimeSettings {
        base: place(service, lab, "/v1")?,
        key: key.here(),
        model: configured(service),
        voice: voice.clone(),
        ears_model: ears_model.clone(),
        language: wanted.language.clone(),
        endpointing_ms: ENDPOINTING_MS,
        task: wanted.task.clone(),
        greeting: wanted.greeting.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_config::Config;

    fn wanted(text: &str) -> Wanted {
        Config::from_toml(&format!("[speech]\n{text}"), "test").unwrap().speech
    }

    #[test]
    fn each_protocol_of_the_configuration_has_its_client_and_its_usual_names() {
        let key = Key::Here(Pii::new("k".to_owned()));
        let voice = |text: &str| voice(&wanted(text), &key, None).unwrap();
        let far = "voice_url = \"https://api.example.com\"\nvoice_key_file = \"k\"\n";
        let model = |settings: VoiceSettings| match settings {
            VoiceSettings::ElevenMulti(eleven) => ("multi", eleven.voice_id, eleven.model_id),
            VoiceSettings::ElevenSingle(eleven) => ("single", eleven.voice_id, eleven.model_id),
            VoiceSettings::Aura(aura) => ("aura", aura.model, String::new()),
            VoiceSettings::Wyoming(wyoming) => ("wyoming", wyoming.url.to_string(), String::new()),
        };
        let eleven = ("21m00Tcm4TlvDq8ikWAM".to_owned(), "eleven_flash_v2_5".to_owned());
        assert_eq!(model(voice(far)), ("multi", eleven.0.clone(), eleven.1.clone()));
        let single = format!("{far}voice_protocol = \"elevenlabs-single\"\nvoice_id = \"x\"");
        assert_eq!(model(voice(&single)), ("single", "x".to_owned(), eleven.1));
        let aura = format!("{far}voice_protocol = \"deepgram\"");
        assert_eq!(model(voice(&aura)), ("aura", "aura-2-thalia-en".to_owned(), String::new()));
        let piper = "voice_url = \"tcp://192.0.2.7\"\nvoice_protocol = \"wyoming\"";
        assert_eq!(model(voice(piper)).1, "tcp://192.0.2.7/");
        let ears = |text: &str| match ears(&wanted(text), &key, None).unwrap() {
            EarsSettings::Deepgram(deepgram) => deepgram.model,
            EarsSettings::Wyoming(wyoming) => wyoming.url.to_string(),
        };
        let far = "ears_url = \"https://api.example.com\"\n";
        assert_eq!(ears(far), "nova-3");
        assert_eq!(ears(&format!("{far}ears_protocol = \"deepgram-flux\"")), "flux-general-en");
        let whisper = "ears_url = \"tcp://192.0.2.7:10300\"\nears_protocol = \"wyoming\"";
        assert_eq!(ears(whisper), "tcp://192.0.2.7:10300/");
    }

    #[test]
    fn truevoice_is_where_its_socket_is_or_below_its_service_with_the_key_of_the_environment() {
        let places = Places { truevoice_key: Some(Pii::new("e".to_owned())), ..Places::default() };
        let all = |text: &str, places: &Places| {
            let Some(AllInOne::TrueVoice(service)) = wanted(text).all_in_one else { panic!("{text}") };
            let key = Key::of_truevoice(&wanted(text), &service, places);
            let missing = key.is_missing();
            let settings = truevoice(&service, &key, None).unwrap();
            (settings.url.to_string(), settings.key.map(|key| key.reveal().clone()), missing)
        };
        let key = || Some("e".to_owned());
        let service = "truevoice_url = \"https://voice.example.com/v1\"\n";
        let socket = "truevoice_ws_url = \"wss://talk.example.com/x\"\n";
        let below = "https://voice.example.com/v1/ws/conversation".to_owned();
        assert_eq!(all(service, &places), (below.clone(), key(), false));
        let both = format!("{service}{socket}");
        assert_eq!(all(&both, &places), ("wss://talk.example.com/x".to_owned(), key(), false));
        assert_eq!(all(service, &Places::default()), (below, None, true));
        assert_eq!(needs_lab(&wanted(socket)), (false, false));
        assert_eq!(needs_lab(&wanted("all_in_one = \"truevoice\"")), (true, false));
        let pool = |text: &str| pool(wanted(&format!("{socket}{text}")).all_in_one.as_ref().unwrap());
        assert_eq!(pool("").map(|pool| (pool.min_idle, pool.max)), Some((2, 8)));
        assert_eq!(pool("truevoice_min_idle = 0\ntruevoice_max_idle = 0"), None);
    }

    #[test]
    fn realtime_is_told_its_task_and_its_greeting_and_is_off_without_a_key() {
        let all = |text: &str| {
            let wanted = wanted(text);
            let service = wanted.all_in_one.as_ref().unwrap();
            let key = Key::of_all_in_one(&wanted, service, &Places::default());
            let AllInOne::Realtime(realtime) = service else { panic!("{service:?}") };
            (super::realtime(&wanted, realtime, &key, None), key, needs_lab(&wanted), pool(service))
        };
        let far = "realtime_url = \"https://api.example.com/v1\"\ngreeting = \"Hi.\"\nlanguage = \"en\"";
        let (settings, key, lab, pool) = all(far);
        let settings = settings.unwrap();
        assert_eq!((settings.model.as_str(), settings.greeting.as_str()), ("gpt-realtime-2.1", "Hi."));
        assert_eq!(settings.ears_model.as_deref(), Some("gpt-transcribe"));
        assert_eq!((settings.language.as_deref(), settings.voice), (Some("en"), None));
        assert_eq!((lab, pool), ((false, false), None));
        let complaint = key.complaint("OpenAI Realtime", "callers are told so").unwrap();
        assert_eq!(complaint, "OpenAI Realtime is off, since no key file is given: callers are told so");
        let (_, key, lab, _) = all("all_in_one = \"openai-realtime\"");
        assert_eq!((key.is_missing(), lab), (false, (true, false)), "the lab plays it");
        let both = format!("{far}\ntruevoice_url = \"https://voice.example.com\"");
        assert!(matches!(wanted(&both).all_in_one, Some(AllInOne::TrueVoice(_))), "auto takes it first");
        assert_eq!(wanted(&format!("{both}\nall_in_one = \"none\"")).all_in_one, None);
        assert_eq!(wanted("").all_in_one, None, "nobody asked for it");
    }

    #[test]
    fn a_far_service_without_its_key_is_off_and_says_why() {
        let places = Places::default();
        let key = |text: &str| {
            let wanted = wanted(text);
            Key::read(&wanted, &wanted.voice, &places)
        };
        assert!(matches!(key("voice_url = \"http://127.0.0.1:1\""), Key::NotAsked));
        assert!(matches!(key(""), Key::NotAsked));
        let complaint = |text: &str| key(text).complaint("the voice", "the device speaks").unwrap();
        let far = "voice_url = \"https://api.example.com\"\n";
        assert_eq!(complaint(far), "the voice is off, since no key file is given: the device speaks");
        let lost = complaint(&format!("{far}voice_key_file = \"/nowhere/at/all\""));
        assert!(lost.contains("/nowhere/at/all cannot be read"), "{lost}");
    }

    #[test]
    fn without_the_lab_a_part_without_an_address_is_off_and_says_why() {
        let places = Places { truevoice_key: Some(Pii::new("e".to_owned())), ..Places::default() };
        let alone = "service = \"none\"\n";
        let some = wanted(&format!("{alone}voice_url = \"http://127.0.0.1:1\""));
        assert!(matches!(Key::read(&some, &some.voice, &places), Key::NotAsked));
        let complaint =
            Key::read(&some, &some.ears, &places).complaint("recognition", "nobody listens").unwrap();
        assert_eq!(complaint, "recognition is off, since no address is given: nobody listens");
        assert_eq!(needs_lab(&some), (false, false));
        for service in ["truevoice", "openai-realtime"] {
            let all = wanted(&format!("{alone}all_in_one = \"{service}\""));
            let key = Key::of_all_in_one(&all, all.all_in_one.as_ref().unwrap(), &places);
            assert_eq!((key.is_missing(), needs_lab(&all)), (true, (false, false)), "{service}");
        }
    }
}
