//! What all connections share: the script being played and the record.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use crate::record::Recorder;
use crate::script::Script;
use crate::stage::Stage;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub seed: u64,
    pub recorder: Arc<Recorder>,
    stage: RwLock<Arc<Stage>>,
}

impl Shared {
    pub(crate) fn new(seed: u64, script: Script, recorder: Recorder) -> Self {
        let stage = Stage::new(Arc::new(script), seed, now());
        Self {
            seed,
            recorder: Arc::new(recorder),
            stage: RwLock::new(Arc::new(stage)),
        }
    }

    /// The script being played now.
    pub(crate) fn stage(&self) -> Arc<Stage> {
        Arc::clone(&self.stage.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn play(&self, script: Arc<Script>) {
        let stage = Arc::new(Stage::new(script, self.seed, now()));
        *self.stage.write().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    /// Changes the script; counters, clock and limits begin anew, the record stays.
    pub(crate) fn set_script(&self, script: Script) {
        self.play(Arc::new(script));
    }

    /// Empties the record and begins counters, clock and limits anew, with the same script.
    pub(crate) fn reset(&self) {
        let script = Arc::clone(&self.stage().script);
        self.recorder.clear();
        self.play(script);
    }
}

/// The time, by a clock that tests can pause.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
