//! How much there is of each resource, and who may have how much of it. Integers of 1/10,000, so that parts add up exactly;
//! a task gets all that it needs or nothing.

/// One whole CPU, GPU or piece of a named resource; 1 is the finest part that can be asked for.
pub const WHOLE: u64 = 10_000;

/// What a runtime has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// CPU, in parts.
    pub cpu: u64,
    /// Whole GPUs, numbered from 0.
    pub gpus: u32,
    /// Named resources, in parts.
    pub named: Vec<(String, u64)>,
}

/// What a task needs to run, in parts. Above one whole GPU only whole ones can be had.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Demand {
    /// While its code runs.
    pub cpu: u64,
    /// Until it has ended.
    pub gpu: u64,
    /// Until it has ended, by name.
    pub named: Vec<(String, u64)>,
}

impl Default for Demand {
    /// One CPU and nothing else.
    fn default() -> Self {
        Self {
            cpu: WHOLE,
            gpu: 0,
            named: Vec::new(),
        }
    }
}

/// A resource by number: what a claim withholds from others.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Cpu,
    Gpu,
    Named(usize),
}

/// A demand in terms of one runtime's resources, which has enough of them in total.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Shape {
    pub(crate) cpu: u64,
    pub(crate) gpu: u64,
    /// By number; none of them zero.
    named: Box<[(usize, u64)]>,
}

impl Shape {
    /// One CPU and nothing else.
    pub(crate) fn common() -> Self {
        Self {
            cpu: WHOLE,
            ..Self::default()
        }
    }

    pub(crate) fn is_common(&self) -> bool {
        self.cpu == WHOLE && !self.holds()
    }

    /// True if it has anything that is held until the task has ended.
    pub(crate) fn holds(&self) -> bool {
        self.gpu > 0 || !self.named.is_empty()
    }

    pub(crate) fn wants(&self, kind: Kind) -> bool {
        match kind {
            Kind::Cpu => self.cpu > 0,
            Kind::Gpu => self.gpu > 0,
            Kind::Named(at) => self.named.iter().any(|(other, _)| *other == at),
        }
    }

    /// What it holds until its end, by kind.
    pub(crate) fn held_kinds(&self) -> impl Iterator<Item = Kind> + '_ {
        let gpu = (self.gpu > 0).then_some(Kind::Gpu);
        let named = self.named.iter().map(|(at, _)| Kind::Named(*at));
        gpu.into_iter().chain(named)
    }
}

/// The resources that are held until a task has ended, all but the CPU: what there is and what is left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stock {
    names: Vec<String>,
    total: Vec<u64>,
    free: Vec<u64>,
    /// What is left of each GPU.
    gpus: Vec<u64>,
    cpu_total: u64,
}

impl Stock {
    pub(crate) fn new(totals: &Totals) -> Self {
        let total: Vec<u64> = totals.named.iter().map(|(_, parts)| *parts).collect();
        Self {
            names: totals.named.iter().map(|(name, _)| name.clone()).collect(),
            free: total.clone(),
            total,
            gpus: vec![WHOLE; totals.gpus as usize],
            cpu_total: totals.cpu,
        }
    }

    /// `None`: more is needed than there is in total, so that it can never be had.
    pub(crate) fn shape(&self, demand: &Demand) -> Option<Shape> {
        let named = demand.named.iter().filter(|(_, parts)| *parts > 0);
        let named = named.map(|(name, parts)| {
            let at = self.names.iter().position(|other| other == name)?;
            (*parts <= self.total[at]).then_some((at, *parts))
        });
        let is_gpu_part = demand.gpu < WHOLE || demand.gpu.is_multiple_of(WHOLE);
        let has_gpus = demand.gpu <= WHOLE * self.gpus.len() as u64;
        (demand.cpu <= self.cpu_total && is_gpu_part && has_gpus)
            .then(|| {
                Some(Shape {
                    cpu: demand.cpu,
                    gpu: demand.gpu,
                    named: named.collect::<Option<_>>()?,
                })
            })
            .flatten()
    }

    /// True if `take` would succeed.
    pub(crate) fn fits(&self, shape: &Shape) -> bool {
        shape
            .named
            .iter()
            .all(|(at, parts)| *parts <= self.free[*at])
            && self.gpus_for(shape.gpu).is_some()
    }

    /// The GPUs that so many parts would be taken from. Parts of one go where the least is left that is enough, so that whole
    /// ones stay whole.
    fn gpus_for(&self, parts: u64) -> Option<Vec<u32>> {
        if parts == 0 {
            return Some(Vec::new());
        }
        let numbered = || self.gpus.iter().zip(0..);
        if parts < WHOLE {
            let enough = numbered().filter(|(left, _)| **left >= parts);
            return enough.min().map(|(_, id)| vec![id]);
        }
        let count = (parts / WHOLE) as usize;
        let whole = numbered().filter(|(left, _)| **left == WHOLE);
        let ids: Vec<u32> = whole.map(|(_, id)| id).take(count).collect();
        (ids.len() == count).then_some(ids)
    }

    /// Takes everything that the shape holds, or nothing; returns the numbers of its GPUs.
    pub(crate) fn take(&mut self, shape: &Shape) -> Option<Box<[u32]>> {
        if !self.fits(shape) {
            return None;
        }
        let gpus = self.gpus_for(shape.gpu)?;
        for (at, parts) in &shape.named {
            self.free[*at] -= parts;
        }
        for id in &gpus {
            self.gpus[*id as usize] -= shape.gpu.min(WHOLE);
        }
        Some(gpus.into())
    }

    /// Gives back what `take` gave.
    pub(crate) fn give_back(&mut self, shape: &Shape, gpus: &[u32]) {
        for (at, parts) in &shape.named {
            self.free[*at] += parts;
        }
        for id in gpus {
            self.gpus[*id as usize] += shape.gpu.min(WHOLE);
        }
    }

    /// How many of a shape could be taken one after another, `most` at most; takes them.
    pub(crate) fn take_many(&mut self, shape: &Shape, most: usize) -> usize {
        if !shape.holds() {
            return most;
        }
        (0..most).take_while(|_| self.take(shape).is_some()).count()
    }

    /// Name, total and what is left of each, GPUs first.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        let gpu = (
            "GPU",
            WHOLE * self.gpus.len() as u64,
            self.gpus.iter().sum(),
        );
        let named = self.names.iter().zip(&self.total).zip(&self.free);
        let named = named.map(|((name, total), free)| (name.as_str(), *total, *free));
        std::iter::once(gpu).chain(named)
    }

    /// What a shape needs, by name, without the CPU.
    pub(crate) fn names_of<'a>(&'a self, shape: &'a Shape) -> impl Iterator<Item = (&'a str, u64)> {
        let gpu = (shape.gpu > 0).then_some(("GPU", shape.gpu));
        let named = shape.named.iter();
        gpu.into_iter()
            .chain(named.map(|(at, parts)| (self.names[*at].as_str(), *parts)))
    }
}
