//! Stores the means of persons by tenant in blocks of f32, and compares a probe with every mean of a tenant.

use std::collections::HashMap;

use super::person::{DIMENSION, Tenant};

/// The number of rows in a block. Blocks avoid copying all rows when a tenant grows.
const BLOCK: usize = 1024;

/// The number of partial sums that a dot product computes in parallel.
const LANES: usize = 32;

/// The means of all persons.
#[derive(Default)]
pub struct FlatIndex {
    tenants: HashMap<Tenant, u32>,
    shards: Vec<Shard>,
    places: HashMap<i64, (u32, u32)>,
}

/// The means of one tenant; row `i` belongs to `persons[i]`.
#[derive(Default)]
struct Shard {
    persons: Vec<i64>,
    blocks: Vec<Vec<f32>>,
}

impl FlatIndex {
    /// Returns the number of persons.
    pub fn persons(&self) -> usize {
        self.places.len()
    }

    /// Returns the number of a tenant's persons.
    pub fn of(&self, tenant: &Tenant) -> usize {
        self.shard(tenant).map_or(0, |shard| shard.persons.len())
    }

    /// Replaces a person's mean; with `None`, removes the person.
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

    /// Removes a person.
    pub fn remove(&mut self, person: i64) {
        let Some((at, row)) = self.places.remove(&person) else { return };
        if let Some(moved) = self.shards[at as usize].remove(row as usize) {
            self.places.insert(moved, (at, row));
        }
    }

    /// Returns the tenant's nearest persons below a cosine distance, nearest first, with their distances.
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
            // The first block grows on demand, for small tenants; later blocks get their full capacity.
            let capacity = if row == 0 { 0 } else { BLOCK * DIMENSION };
            self.blocks.push(Vec::with_capacity(capacity));
        }
        let last = self.blocks.len() - 1;
        self.blocks[last].extend_from_slice(mean);
        u32::try_from(row).expect("fewer persons than 2^32")
    }

    /// Removes a row. The last row moves into its place; returns the person who was moved.
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

/// The nearest persons found so far, nearest first.
struct Nearest {
    kept: Vec<(f32, i64)>,
    most: usize,
    /// A person is kept only with a similarity above this.
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

/// Computes a dot product in [`LANES`] partial sums, so that the compiler can use vector registers.
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
