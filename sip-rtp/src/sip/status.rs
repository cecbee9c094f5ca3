//! Status codes and what they are called.

use std::fmt;

/// A status code, 100 to 699.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Status(u16);

impl Status {
    /// A code; `None` outside 100 to 699.
    pub const fn new(code: u16) -> Option<Self> {
        if code < 100 || code > 699 { None } else { Some(Self(code)) }
    }

    /// The number.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// 1xx: an answer is on its way.
    pub const fn is_provisional(self) -> bool {
        self.0 < 200
    }

    /// 2xx.
    pub const fn is_success(self) -> bool {
        self.0 >= 200 && self.0 < 300
    }

    /// The words that stand behind it.
    pub fn reason(self) -> &'static str {
        NAMES.iter().find(|(code, _)| *code == self.0).map_or("Unknown", |(_, name)| name)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

macro_rules! statuses {
    ($($name:ident = $code:literal, $reason:literal;)*) => {
        #[allow(missing_docs, reason = "the names say it")]
        impl Status {
            $(pub const $name: Self = Self($code);)*
        }
        /// RFC 3261 21, and the RFC that each extension brought along.
        const NAMES: &[(u16, &str)] = &[$(($code, $reason)),*];
    };
}

statuses! {
    TRYING = 100, "Trying";
    RINGING = 180, "Ringing";
    FORWARDED = 181, "Call Is Being Forwarded";
    QUEUED = 182, "Queued";
    SESSION_PROGRESS = 183, "Session Progress";
    OK = 200, "OK";
    ACCEPTED = 202, "Accepted";
    MULTIPLE_CHOICES = 300, "Multiple Choices";
    MOVED_PERMANENTLY = 301, "Moved Permanently";
    MOVED_TEMPORARILY = 302, "Moved Temporarily";
    USE_PROXY = 305, "Use Proxy";
    BAD_REQUEST = 400, "Bad Request";
    UNAUTHORIZED = 401, "Unauthorized";
    FORBIDDEN = 403, "Forbidden";
    NOT_FOUND = 404, "Not Found";
    METHOD_NOT_ALLOWED = 405, "Method Not Allowed";
    NOT_ACCEPTABLE = 406, "Not Acceptable";
    PROXY_AUTHENTICATION = 407, "Proxy Authentication Required";
    REQUEST_TIMEOUT = 408, "Request Timeout";
    GONE = 410, "Gone";
    ENTITY_TOO_LARGE = 413, "Request Entity Too Large";
    UNSUPPORTED_MEDIA = 415, "Unsupported Media Type";
    UNSUPPORTED_SCHEME = 416, "Unsupported URI Scheme";
    BAD_EXTENSION = 420, "Bad Extension";
    EXTENSION_REQUIRED = 421, "Extension Required";
    INTERVAL_TOO_SMALL = 422, "Session Interval Too Small";
    INTERVAL_TOO_BRIEF = 423, "Interval Too Brief";
    TEMPORARILY_UNAVAILABLE = 480, "Temporarily Unavailable";
    NO_SUCH_CALL = 481, "Call/Transaction Does Not Exist";
    LOOP_DETECTED = 482, "Loop Detected";
    TOO_MANY_HOPS = 483, "Too Many Hops";
    ADDRESS_INCOMPLETE = 484, "Address Incomplete";
    BUSY_HERE = 486, "Busy Here";
    REQUEST_TERMINATED = 487, "Request Terminated";
    NOT_ACCEPTABLE_HERE = 488, "Not Acceptable Here";
    BAD_EVENT = 489, "Bad Event";
    REQUEST_PENDING = 491, "Request Pending";
    SERVER_ERROR = 500, "Server Internal Error";
    NOT_IMPLEMENTED = 501, "Not Implemented";
    SERVICE_UNAVAILABLE = 503, "Service Unavailable";
    SERVER_TIMEOUT = 504, "Server Time-out";
    VERSION_NOT_SUPPORTED = 505, "Version Not Supported";
    MESSAGE_TOO_LARGE = 513, "Message Too Large";
    BUSY_EVERYWHERE = 600, "Busy Everywhere";
    DECLINE = 603, "Decline";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_range() {
        assert_eq!(Status::new(99), None);
        assert_eq!(Status::new(700), None);
        assert_eq!(Status::new(200), Some(Status::OK));
        assert_eq!(Status::new(299).map(Status::reason), Some("Unknown"));
    }
}
