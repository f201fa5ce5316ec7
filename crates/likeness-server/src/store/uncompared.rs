//! Counts by tenant what the index's means hide: templates that it can't compare, and persons with several templates.

use std::collections::HashMap;

use super::person::{NotCompared, Tenant};

/// The counts for a person, or for all persons of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Templates that can't be compared.
    pub not_compared: NotCompared,
    /// Persons who are compared by a mean of several templates.
    pub averaged: usize,
}

/// The counts of each tenant, and each person's share.
#[derive(Default)]
pub struct Uncompared {
    persons: HashMap<i64, (Tenant, Counts)>,
    tenants: HashMap<Tenant, Counts>,
}

impl Uncompared {
    /// Returns the counts of a tenant.
    pub fn of(&self, tenant: &Tenant) -> Counts {
        self.tenants.get(tenant).copied().unwrap_or_default()
    }

    /// Replaces a person's counts.
    pub fn put(&mut self, tenant: &Tenant, person: i64, found: Counts) {
        self.remove(person);
        if found != Counts::default() {
            let total = self.tenants.entry(tenant.clone()).or_default();
            total.not_compared.add(found.not_compared);
            total.averaged += found.averaged;
            self.persons.insert(person, (tenant.clone(), found));
        }
    }

    /// Removes a person's counts.
    pub fn remove(&mut self, person: i64) {
        let Some((tenant, found)) = self.persons.remove(&person) else { return };
        if let Some(total) = self.tenants.get_mut(&tenant) {
            total.not_compared.remove(found.not_compared);
            total.averaged -= found.averaged;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_what_each_person_last_had() {
        let [a, b] = ["a", "b"].map(|id| Tenant::new(id).unwrap());
        let other = |other_space| Counts {
            not_compared: NotCompared { other_space, no_direction: 0 },
            averaged: usize::from(other_space > 2),
        };
        let mut counts = Uncompared::default();
        counts.put(&a, 1, other(3));
        counts.put(&a, 2, other(1));
        counts.put(&b, 3, other(5));
        assert_eq!((counts.of(&a), counts.of(&b)), (other(4), other(5)));
        counts.put(&a, 1, other(0));
        counts.remove(3);
        counts.remove(9);
        assert_eq!((counts.of(&a), counts.of(&b)), (other(1), other(0)));
    }
}
