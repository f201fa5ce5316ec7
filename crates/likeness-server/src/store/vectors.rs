//! Means of persons by tenant, in blocks of f32, and the search through all of a tenant's. Touches
//! nothing.

use std::collections::HashMap;

use super::person::{DIMENSION, Tenant};

/// Rows in a block: what grows is never copied as a whole.
const BLOCK: usize = 1024;

/// Parts of a sum that are added up side by side.
const LANES: usize = 32;

/// Means of persons, searched one by one.
#[derive(Default)]
pub struct FlatIndex {
    tenants: HashMap<Tenant, u32>,
    shards: Vec<Shard>,
    places: HashMap<i64, (u32, u32)>,
}

/// The means of a tenant; row by row as `persons`.
#[derive(Default)]
struct Shard {
    persons: Vec<i64>,
    blocks: Vec<Vec<f32>>,
}

impl FlatIndex {
    /// How many persons there are.
    pub fn persons(&self) -> usize {
        self.places.len()
    }

    /// How many of a tenant.
    pub fn of(&self, tenant: &Tenant) -> usize {
        self.shard(tenant).map_or(0, |shard| shard.persons.len())
    }

    /// Puts a person's mean in the place of the one before; none: leaves the person out.
    pub fn put(&mut self, tenant: &Tenant, person: i64, mean: Option<&[f32]>) {
        self.remove(person);
        let Some(mean) = mean else { return };
        let shards = u32::try_from(self.shards.len()).expect("fewer tenants than 2^32");
        let at = *self.tenants.entry(tenant.clone()).or_insert(shards);
        if at == shards {
            self.shards.push(Shard::default());
        }
        let row = self.shards[at as usize].push(person, mean);
        self.places.insert(person, (at, row));
    }

    /// Leaves a person out.
    pub fn remove(&mut self, person: i64) {
        let Some((at, row)) = self.places.remove(&person) else { return };
        if let Some(moved) = self.shards[at as usize].remove(row as usize) {
            self.places.insert(moved, (at, row));
        }
    }

    /// The nearest persons of a tenant below a cosine distance, nearest first, with their distance.
    pub fn nearest(&self, tenant: &Tenant, probe: &[f32], most: usize, below: f64) -> Vec<(i64, f32)> {
        let Some(shard) = self.shard(tenant) else { return Vec::new() };
        let mut nearest = Nearest { kept: Vec::new(), most, least: 1.0 - narrow(below) };
        let rows = shard.blocks.iter().flat_map(|block| block.chunks_exact(DIMENSION));
        for (mean, person) in rows.zip(&shard.persons) {
            nearest.offer(dot(mean, probe), *person);
        }
        nearest.kept.into_iter().map(|(similarity, person)| (person, 1.0 - similarity)).collect()
    }

    fn shard(&self, tenant: &Tenant) -> Option<&Shard> {
        self.tenants.get(tenant).map(|at| &self.shards[*at as usize])
    }
}

impl Shard {
    fn push(&mut self, person: i64, mean: &[f32]) -> u32 {
        let row = self.persons.len();
        self.persons.push(person);
        if row.is_multiple_of(BLOCK) {
            // The first one grows, for small tenants; later ones will be filled.
            let capacity = if row == 0 { 0 } else { BLOCK * DIMENSION };
            self.blocks.push(Vec::with_capacity(capacity));
        }
        let last = self.blocks.len() - 1;
        self.blocks[last].extend_from_slice(mean);
        u32::try_from(row).expect("fewer persons than 2^32")
    }

    /// Removes a row; the last one moves into its place and is returned.
    fn remove(&mut self, row: usize) -> Option<i64> {
        let last = self.persons.len() - 1;
        let tail = self.blocks.last_mut()?;
        let moving = tail.split_off(tail.len() - DIMENSION);
        if tail.is_empty() {
            self.blocks.pop();
        }
        self.persons.swap_remove(row);
        if row == last {
            return None;
        }
        let start = row % BLOCK * DIMENSION;
        self.blocks[row / BLOCK][start..start + DIMENSION].copy_from_slice(&moving);
        Some(self.persons[row])
    }
}

/// The best so far, best first.
struct Nearest {
    kept: Vec<(f32, i64)>,
    most: usize,
    /// What must be exceeded.
    least: f32,
}

impl Nearest {
    fn offer(&mut self, similarity: f32, person: i64) {
        if similarity <= self.least || self.most == 0 {
            return;
        }
        let at = self.kept.partition_point(|(kept, _)| *kept >= similarity);
        self.kept.insert(at, (similarity, person));
        if self.kept.len() > self.most {
            self.kept.pop();
        }
        if self.kept.len() == self.most {
            self.least = self.kept[self.most - 1].0;
        }
    }
}

/// In lanes, so that the compiler can use the widest registers it may.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}

#[expect(clippy::cast_possible_truncation, reason = "a distance: this is rounding")]
fn narrow(distance: f64) -> f32 {
    distance as f32
}
