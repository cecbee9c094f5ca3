//! The configuration file, watched. Editors replace a file instead of writing into it, so its folder is watched.

use super::appliance::Event;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::path::Path;
use std::sync::mpsc::Sender;

/// Tells changes of `file` to `events` for as long as what it returns lives.
pub(super) fn watch(file: &Path, events: Sender<Event>) -> notify::Result<RecommendedWatcher> {
    let name = file.file_name().map(ToOwned::to_owned);
    let told = move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        // To read it is no change; we do that ourselves.
        let is_change = !matches!(event.kind, EventKind::Access(_));
        let is_ours = event.paths.iter().any(|path| path.file_name() == name.as_deref());
        if is_change && is_ours {
            // Where nobody listens any more the process is at its end.
            let _ = events.send(Event::FileChanged);
        }
    };
    let mut watcher = notify::recommended_watcher(told)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}
