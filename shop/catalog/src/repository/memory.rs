//! Products in memory: lost at the end of the process, bounded in number.

use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chrono::{DateTime, Utc};

use super::{Answer, Page, Repository, RepositoryError, Slice};
use crate::product::{Details, Product};

/// The repository that needs nothing else.
#[derive(Debug)]
pub struct MemoryRepository {
    most: usize,
    shelves: RwLock<Shelves>,
}

#[derive(Debug, Default)]
struct Shelves {
    last_id: u64,
    products: BTreeMap<u64, Kept>,
    by_sku: HashMap<String, u64>,
}

/// A product beside the text that searches look through.
#[derive(Debug)]
struct Kept {
    product: Product,
    searchable: String,
}

impl MemoryRepository {
    /// An empty repository that holds at most `most` products.
    pub fn new(most: usize) -> Self {
        Self { most, shelves: RwLock::default() }
    }

    fn read(&self) -> RwLockReadGuard<'_, Shelves> {
        self.shelves.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Shelves> {
        self.shelves.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelves {
    fn slice<'a>(found: impl Iterator<Item = &'a Kept> + Clone, page: Page) -> Slice {
        let items = found.clone().skip(page.skip).take(page.take);
        Slice { items: items.map(|kept| kept.product.clone()).collect(), total: found.count() }
    }

    fn create(&mut self, details: Details, now: DateTime<Utc>) -> Result<Product, RepositoryError> {
        if self.by_sku.contains_key(&details.sku) {
            return Err(RepositoryError::SkuTaken(details.sku));
        }
        self.last_id += 1;
        Ok(self.put(Product { id: self.last_id, details, created_at: now, updated_at: now }))
    }

    fn update(
        &mut self,
        id: u64,
        details: Details,
        now: DateTime<Utc>,
    ) -> Result<Product, RepositoryError> {
        let before = &self.products.get(&id).ok_or(RepositoryError::NotFound(id))?.product;
        if self.by_sku.get(&details.sku).is_some_and(|owner| *owner != id) {
            return Err(RepositoryError::SkuTaken(details.sku));
        }
        let (created_at, old_sku) = (before.created_at, before.details.sku.clone());
        self.by_sku.remove(&old_sku);
        Ok(self.put(Product { id, details, created_at, updated_at: now }))
    }

    fn delete(&mut self, id: u64) -> Result<(), RepositoryError> {
        let kept = self.products.remove(&id).ok_or(RepositoryError::NotFound(id))?;
        self.by_sku.remove(&kept.product.details.sku);
        Ok(())
    }

    fn put(&mut self, product: Product) -> Product {
        let Details { sku, name, description, category, .. } = &product.details;
        let searchable = format!("{sku}\n{name}\n{category}\n{description}").to_lowercase();
        self.by_sku.insert(sku.clone(), product.id);
        self.products.insert(product.id, Kept { product: product.clone(), searchable });
        product
    }
}

/// Memory answers at once.
fn at_once<'a, T: Send + 'a>(result: Result<T, RepositoryError>) -> Answer<'a, T> {
    Box::pin(std::future::ready(result))
}

impl Repository for MemoryRepository {
    fn list(&self, page: Page) -> Answer<'_, Slice> {
        at_once(Ok(Shelves::slice(self.read().products.values(), page)))
    }

    fn search<'a>(&'a self, text: &'a str, page: Page) -> Answer<'a, Slice> {
        let text = text.to_lowercase();
        let shelves = self.read();
        let found = shelves.products.values().filter(|kept| kept.searchable.contains(&text));
        at_once(Ok(Shelves::slice(found, page)))
    }

    fn get(&self, id: u64) -> Answer<'_, Product> {
        let found = self.read().products.get(&id).map(|kept| kept.product.clone());
        at_once(found.ok_or(RepositoryError::NotFound(id)))
    }

    fn create(&self, details: Details, now: DateTime<Utc>) -> Answer<'_, Product> {
        let mut shelves = self.write();
        if shelves.products.len() >= self.most {
            return at_once(Err(RepositoryError::Full(self.most)));
        }
        at_once(shelves.create(details, now))
    }

    fn update(&self, id: u64, details: Details, now: DateTime<Utc>) -> Answer<'_, Product> {
        at_once(self.write().update(id, details, now))
    }

    fn delete(&self, id: u64) -> Answer<'_, ()> {
        at_once(self.write().delete(id))
    }

    fn ready(&self) -> Answer<'_, ()> {
        at_once(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::seed;

    fn details(sku: &str) -> Details {
        Details {
            sku: sku.to_owned(),
            name: format!("Thing {sku}"),
            description: String::new(),
            category: "things".to_owned(),
            price_cents: 100,
            currency: "EUR".to_owned(),
            stock: 1,
        }
    }

    #[tokio::test]
    async fn a_deleted_products_sku_is_free_again_and_its_id_is_not() {
        let repository = MemoryRepository::new(10);
        let now = DateTime::UNIX_EPOCH;
        let first = repository.create(details("A"), now).await.unwrap();
        repository.delete(first.id).await.unwrap();
        let second = repository.create(details("A"), now).await.unwrap();
        assert_eq!((first.id, second.id), (1, 2));
    }

    #[tokio::test]
    async fn an_update_may_keep_its_sku_free_its_old_one_but_not_take_anothers() {
        let repository = MemoryRepository::new(10);
        let now = DateTime::UNIX_EPOCH;
        let id = repository.create(details("A"), now).await.unwrap().id;
        repository.create(details("B"), now).await.unwrap();
        repository.update(id, details("A"), now).await.unwrap();
        let refused = repository.update(id, details("B"), now).await.unwrap_err();
        assert!(matches!(refused, RepositoryError::SkuTaken(_)));
        repository.update(id, details("C"), now).await.unwrap();
        repository.create(details("A"), now).await.unwrap();
    }

    #[tokio::test]
    async fn a_full_repository_refuses_and_deleting_makes_room() {
        let repository = MemoryRepository::new(1);
        let now = DateTime::UNIX_EPOCH;
        let id = repository.create(details("A"), now).await.unwrap().id;
        let refused = repository.create(details("B"), now).await.unwrap_err();
        assert!(matches!(refused, RepositoryError::Full(1)));
        repository.delete(id).await.unwrap();
        repository.create(details("B"), now).await.unwrap();
    }

    #[tokio::test]
    async fn pages_of_a_search_cut_the_same_list_that_total_counts() {
        let repository = MemoryRepository::new(1_000);
        seed(&repository, DateTime::UNIX_EPOCH).await.unwrap();
        let all = repository.search("LAMP", Page { skip: 0, take: 100 }).await.unwrap();
        assert!(all.total > 2 && all.items.len() == all.total);
        let rest = repository.search("lamp", Page { skip: 2, take: 100 }).await.unwrap();
        assert_eq!((rest.items.as_slice(), rest.total), (&all.items[2..], all.total));
    }
}
