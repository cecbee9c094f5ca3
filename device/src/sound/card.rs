//! The one file that knows the driver: finding a card, its native format, its streams.

use super::Way;
use crate::audio::priority;
use crate::audio::sound::Change;
use crate::audio::sound::callback::{Plays, Records};
use crate::audio::sound::card::{Microphone, Speaker};
use crate::audio::sound::gauges::{SideGauges, SoundGauges};
use crate::rings;
use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{
    BufferSize, ErrorKind, FromSample, Sample, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize,
    SupportedStreamConfig,
};
use offhook_config::Card;
use offhook_units::SampleRate;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A card is asked to call this often, where it lets itself be asked: once a tick.
const PERIOD_MS: u32 = 10;
/// The driver looks this often whether its card still stands.
const POLL: Duration = Duration::from_millis(250);

/// Why a card is not open.
#[derive(Debug)]
pub(super) enum CardError {
    /// There is none of that name; those that there are.
    NoSuch(String, Vec<String>),
    /// Its rate is none that can be converted.
    Rate(u32),
    /// Its samples are of a kind that is not spoken here.
    Samples(SampleFormat),
    /// The driver's own words.
    Driver(cpal::Error),
}

impl fmt::Display for CardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuch(name, known) if known.is_empty() => {
                write!(f, "no card is called {name:?}, and there is no other")
            }
            Self::NoSuch(name, known) => {
                write!(f, "no card is called {name:?}; there is {}", known.join(", "))
            }
            Self::Rate(hz) => write!(f, "the card runs at {hz} Hz, which cannot be converted"),
            Self::Samples(format) => write!(f, "the card speaks {format} only"),
            Self::Driver(error) => match error.kind() {
                ErrorKind::DeviceNotAvailable => f.write_str("there is no card"),
                ErrorKind::DeviceBusy => f.write_str("another program has the card"),
                ErrorKind::PermissionDenied => {
                    f.write_str("the card may not be used; put the service into the group \"audio\"")
                }
                _ => write!(f, "{error}"),
            },
        }
    }
}

impl From<cpal::Error> for CardError {
    fn from(error: cpal::Error) -> Self {
        Self::Driver(error)
    }
}

/// What a stream's driver complained of.
type Fault = Arc<Mutex<Option<cpal::Error>>>;

/// A card that is open.
pub(super) struct Open {
    _stream: cpal::Stream,
    name: String,
    pub(super) rate: SampleRate,
    fault: Fault,
}

impl Open {
    /// Its driver says that it is over.
    pub(super) fn has_failed(&self) -> bool {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// In its own words.
    pub(super) fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(ToString::to_string)
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {} Hz", self.name, self.rate.hz())
    }
}

/// The cards of this machine.
pub(super) struct Cards {
    host: cpal::Host,
    fifo: Option<u8>,
}

impl Cards {
    /// Callbacks will ask for the real-time priority `fifo`.
    pub(super) fn new(fifo: Option<u8>) -> Self {
        Self { host: cpal::default_host(), fifo }
    }

    /// Opens one way of a card, and makes the audio thread's end of it.
    pub(super) fn open(
        &mut self,
        way: Way,
        wanted: &Card,
        gauges: &Arc<SoundGauges>,
    ) -> Result<(Open, Change), CardError> {
        // ALSA's library writes several lines on stderr each time a card is not there. They go into a buffer, which the
        // next attempt empties; what it is about, the error says too.
        let _complaints = alsa::Output::local_error_handler();
        let device = self.find(way, wanted)?;
        let native = match way {
            Way::Speaker => device.default_output_config()?,
            Way::Microphone => device.default_input_config()?,
        };
        let rate = SampleRate::new(native.sample_rate()).ok_or(CardError::Rate(native.sample_rate()))?;
        let name = device.id().map_or_else(|_| device.to_string(), |id| id.id().to_owned());
        let fault = Fault::default();
        let making = Making { device: &device, native, rate, fault: &fault, gauges, fifo: self.fifo };
        let (stream, change) = making.make(way)?;
        Ok((Open { _stream: stream, name, rate, fault }, change))
    }

    fn find(&self, way: Way, wanted: &Card) -> Result<cpal::Device, CardError> {
        let name = match wanted {
            Card::Default => {
                let device = match way {
                    Way::Speaker => self.host.default_output_device(),
                    Way::Microphone => self.host.default_input_device(),
                };
                return device.ok_or_else(|| CardError::NoSuch("default".to_owned(), Vec::new()));
            }
            Card::Named(name) => name,
        };
        let mut known = Vec::new();
        for device in self.host.devices()? {
            let id = device.id().map_or_else(|_| String::new(), |id| id.id().to_owned());
            if id == *name || device.to_string() == *name {
                return Ok(device);
            }
            known.push(id);
        }
        Err(CardError::NoSuch(name.clone(), known))
    }
}

/// A card on its way to being open.
struct Making<'a> {
    device: &'a cpal::Device,
    native: SupportedStreamConfig,
    rate: SampleRate,
    fault: &'a Fault,
    gauges: &'a Arc<SoundGauges>,
    fifo: Option<u8>,
}

impl Making<'_> {
    fn make(&self, way: Way) -> Result<(cpal::Stream, Change), CardError> {
        match self.native.sample_format() {
            SampleFormat::F32 => self.make_as::<f32>(way),
            SampleFormat::F64 => self.make_as::<f64>(way),
            SampleFormat::I16 => self.make_as::<i16>(way),
            SampleFormat::I24 => self.make_as::<cpal::I24>(way),
            SampleFormat::I32 => self.make_as::<i32>(way),
            SampleFormat::U8 => self.make_as::<u8>(way),
            other => Err(CardError::Samples(other)),
        }
    }

    fn make_as<T>(&self, way: Way) -> Result<(cpal::Stream, Change), CardError>
    where
        T: SizedSample + FromSample<i16>,
        i16: FromSample<T>,
    {
        match self.build::<T>(way, self.period()) {
            // It does not let itself be asked after all: as it likes, then.
            Err(CardError::Driver(error)) if error.kind() == ErrorKind::UnsupportedConfig => {
                self.build::<T>(way, BufferSize::Default)
            }
            made => made,
        }
    }

    /// One tick, within what the card allows.
    fn period(&self) -> BufferSize {
        let wanted = self.rate.frames_in_ms(PERIOD_MS) as u32;
        match self.native.buffer_size() {
            SupportedBufferSize::Range { min, max } => {
                BufferSize::Fixed(wanted.clamp(*min, (*max).max(*min)))
            }
            SupportedBufferSize::Unknown => BufferSize::Fixed(wanted),
        }
    }

    fn build<T>(&self, way: Way, buffer_size: BufferSize) -> Result<(cpal::Stream, Change), CardError>
    where
        T: SizedSample + FromSample<i16>,
        i16: FromSample<T>,
    {
        let config = StreamConfig { buffer_size, ..self.native.config() };
        let channels = usize::from(config.channels);
        let (writer, reader) = rings::card(self.rate);
        let mut fifo = self.fifo;
        let (stream, gauges, change) = match way {
            Way::Speaker => {
                let gauges = &self.gauges.speaker;
                let mut plays = Plays::new(reader, gauges.clone());
                let fill = move |out: &mut [T], _: &cpal::OutputCallbackInfo| {
                    hurry(&mut fifo);
                    plays.fill(out, channels, T::from_sample);
                };
                let errors = errors(self.fault, gauges);
                let stream = self.device.build_output_stream(config, fill, errors, Some(POLL))?;
                let speaker = Speaker::new(self.rate, writer, gauges.clone());
                (stream, gauges, Change::Speaker(Some(Box::new(speaker.map_err(|_none| self.no_rate())?))))
            }
            Way::Microphone => {
                let gauges = &self.gauges.microphone;
                let mut records = Records::new(writer, gauges.clone());
                let take = move |came: &[T], _: &cpal::InputCallbackInfo| {
                    hurry(&mut fifo);
                    records.take(came, channels, i16::from_sample);
                };
                let errors = errors(self.fault, gauges);
                let stream = self.device.build_input_stream(config, take, errors, Some(POLL))?;
                let ear = Microphone::new(self.rate, reader, gauges.clone());
                (stream, gauges, Change::Microphone(Some(Box::new(ear.map_err(|_none| self.no_rate())?))))
            }
        };
        gauges.opens(stream.buffer_size().unwrap_or(self.rate.frames_in_ms(PERIOD_MS) as u32));
        stream.play()?;
        Ok((stream, change))
    }

    fn no_rate(&self) -> CardError {
        CardError::Rate(self.rate.hz())
    }
}

/// A callback's first act: the drivers' threads are ordinary ones, and late under load.
fn hurry(fifo: &mut Option<u8>) {
    if let Some(priority) = fifo.take() {
        // Where the system refuses it, it refused the audio thread too, which is told.
        let _ = priority::fifo(priority);
    }
}

/// Counts what the driver lost, and keeps what ends the stream.
fn errors(fault: &Fault, gauges: &Arc<SideGauges>) -> impl FnMut(cpal::Error) + Send + 'static {
    let (fault, gauges) = (fault.clone(), gauges.clone());
    move |error| match error.kind() {
        ErrorKind::Xrun => gauges.xrun(),
        ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged => {}
        _ => *fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
    }
}
