//! What the naive twin thinks of bad answers.

/// Bad answers one by one: every answer moves share and score. Good ones are put off to the next bad one, which may be one of them.
#[derive(Debug)]
pub(crate) struct Quality {
    goods: u32,
    seen: u32,
    share: f64,
    usual: f64,
    pub(crate) score: f64,
}

impl Quality {
    pub(crate) fn new() -> Self {
        Self {
            goods: 0,
            seen: 0,
            share: 0.05,
            usual: 0.05,
            score: 0.0,
        }
    }

    fn feared(&self) -> f64 {
        let ten_times = (10.0 * self.usual).clamp(0.15, 0.3);
        ten_times.max(1.5 * self.usual)
    }

    fn learn(&mut self, answer: f64) {
        let known = f64::from((self.seen + 20).min(1000));
        self.share = (self.share * known + answer) / (known + 1.0);
        self.seen += 1;
    }

    pub(crate) fn good(&mut self) {
        self.goods += 1;
    }

    pub(crate) fn take_goods(&mut self, but: u32) {
        for _ in 0..std::mem::take(&mut self.goods).saturating_sub(but) {
            self.take_good();
        }
    }

    fn take_good(&mut self) {
        let weight = ((1.0 - self.feared()) / (1.0 - self.usual)).ln();
        self.score = (self.score + weight).max(0.0);
        self.learn(0.0);
    }

    pub(crate) fn judge_all(&mut self) {
        self.usual = self.share.clamp(0.01, 0.5);
    }

    pub(crate) fn bad(&mut self, begun: bool) -> bool {
        self.take_goods(begun.into());
        let seen = self.seen;
        self.learn(1.0);
        if seen < 100 || self.score == 0.0 {
            self.judge_all();
        }
        if seen < 100 {
            return false;
        }
        let (p0, p1) = (self.usual, self.feared());
        self.score += (p1 / p0).ln();
        let lost = p0 * (p0 / p1).ln() + (1.0 - p0) * ((1.0 - p0) / (1.0 - p1)).ln();
        let enough = (6_000.0 * (1.0 + 40.0 * p0) * lost).ln() + 1_200.0 / f64::from(seen);
        let alarm = self.score >= enough;
        if alarm {
            self.score = 0.0;
            self.judge_all();
        }
        alarm
    }

    /// The shortest row of bad answers that is rarer by chance than one in 40 000.
    pub(crate) fn row(&self) -> usize {
        let likely = |row: &i32| self.seen >= 100 && self.usual.powi(*row) > (-10.6f64).exp();
        (1..).take_while(likely).count() + 1
    }
}
