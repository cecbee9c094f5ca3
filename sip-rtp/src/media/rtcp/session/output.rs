//! The reports that leave.

use super::{PeerTime, RtcpSession};
use crate::media::{
    packet::NoRoom,
    rtcp::{
        DlrrItem, ReportBlock, SenderInfo,
        compound::{EXTENDED_REPORT, GOODBYE, RECEIVER_REPORT, SENDER_REPORT, SOURCE_DESCRIPTION},
        ntp::to_65536ths,
        xr::XrBlock,
    },
    wire::Writer,
};
use offhook_units::{Moment, RtpTime};

impl RtcpSession {
    /// Writes a compound: report, name, extended report and, as the last of all, a goodbye.
    pub(super) fn write(&mut self, now: Moment, out: &mut [u8], last: bool) -> Result<usize, NoRoom> {
        let block = self.take_report_block(now);
        let mut out = Writer::new(out);
        let count = u8::from(block.is_some());
        if self.is_sender() {
            let info = self.sender_info(now);
            out.rtcp(count, SENDER_REPORT, |out| {
                out.u32(self.config.ssrc.0)?;
                info.write(out)?;
                block.map_or(Ok(()), |block| block.write(out))
            })?;
        } else {
            out.rtcp(count, RECEIVER_REPORT, |out| {
                out.u32(self.config.ssrc.0)?;
                block.map_or(Ok(()), |block| block.write(out))
            })?;
        }
        self.sent.idle_reports = self.sent.idle_reports.saturating_add(1);
        out.rtcp(1, SOURCE_DESCRIPTION, |out| {
            out.u32(self.config.ssrc.0)?;
            out.bytes(&[1, 16])?;
            out.bytes(self.config.cname.as_bytes())?;
            // The list of items ends with a zero; more of them fill the word.
            out.u8(0)
        })?;
        if self.config.extended {
            self.write_extended(now, &mut out)?;
        }
        if last {
            out.rtcp(1, GOODBYE, |out| out.u32(self.config.ssrc.0))?;
        }
        Ok(out.len())
    }

    fn write_extended(&self, now: Moment, out: &mut Writer<'_>) -> Result<(), NoRoom> {
        out.rtcp(0, EXTENDED_REPORT, |out| {
            out.u32(self.config.ssrc.0)?;
            XrBlock::ReferenceTime(self.config.ntp_origin.at(now)).write(out)?;
            if let Some(PeerTime { ssrc, middle, at }) = self.reference_time {
                let delay = to_65536ths(now.since(at));
                XrBlock::Dlrr(DlrrItem { ssrc, last: middle, delay }).write(out)?;
            }
            if let Some(remote) = &self.remote {
                XrBlock::Voip(self.metrics(remote)).write(out)?;
            }
            Ok(())
        })
    }

    fn sender_info(&self, now: Moment) -> SenderInfo {
        let hz = i128::from(self.config.clock.hz());
        let time = self.sent.last.map_or(RtpTime(0), |(at, time)| {
            let frames = i128::from(now.since(at).as_micros()) * hz / 1_000_000;
            RtpTime(time.0.wrapping_add(frames as u32))
        });
        let ntp = self.config.ntp_origin.at(now);
        SenderInfo { ntp, time, packets: self.sent.packets, bytes: self.sent.bytes }
    }

    /// The block about the source that was heard since the last report, and a new interval for it.
    fn take_report_block(&mut self, now: Moment) -> Option<ReportBlock> {
        let remote = self.remote.as_mut().filter(|remote| remote.heard_since_report)?;
        remote.heard_since_report = false;
        let answered = self.sender_report.filter(|report| report.ssrc == remote.ssrc);
        Some(ReportBlock {
            ssrc: remote.ssrc,
            fraction_lost: remote.stats.take_fraction_lost(),
            lost: remote.stats.lost().clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32,
            highest: remote.stats.extended_highest(),
            jitter: remote.stats.jitter(),
            last_report: answered.map_or(0, |report| report.middle),
            delay_since: answered.map_or(0, |report| to_65536ths(now.since(report.at))),
        })
    }
}
