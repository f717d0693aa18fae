//! Rows on their way into a table by COPY, in its binary format
//! (<https://www.postgresql.org/docs/current/sql-copy.html>, Binary Format): for PostgreSQL that is two thirds of the work of
//! an INSERT, as the rows pass through no plan and are written a page at a time. It knows no ON CONFLICT: where a row is there
//! already, all of it is refused.

use sqlx::encode::IsNull;
use sqlx::postgres::PgArgumentBuffer;
use sqlx::{Encode, PgConnection, Postgres};

use crate::error::StoreError;

/// The signature, no flags, and no extension of the header.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// In the place of a row's number of cells.
const END: i16 = -1;
/// In the place of a cell's length.
const NULL: i32 = -1;

/// Rows of a table, each with a cell for every column of the statement and in their order.
pub(crate) struct Rows {
    columns: i16,
    buffer: PgArgumentBuffer,
}

impl Rows {
    /// None yet. `bytes` is about how much they will be.
    pub(crate) fn new(columns: i16, bytes: usize) -> Self {
        let mut buffer = PgArgumentBuffer::default();
        buffer.reserve(bytes);
        buffer.extend_from_slice(HEADER);
        Self { columns, buffer }
    }

    /// Begins a row.
    pub(crate) fn row(&mut self) -> &mut Self {
        self.buffer.extend_from_slice(&self.columns.to_be_bytes());
        self
    }

    /// The row's next cell.
    ///
    /// # Errors
    /// A value that PostgreSQL cannot have.
    pub(crate) fn cell<'q>(&mut self, value: impl Encode<'q, Postgres>) -> Result<&mut Self, StoreError> {
        let begin = self.buffer.len();
        self.buffer.extend_from_slice(&NULL.to_be_bytes());
        let is_null = value
            .encode_by_ref(&mut self.buffer)
            .map_err(sqlx::Error::Encode)?;
        if matches!(is_null, IsNull::No) {
            let written = self.buffer.len() - begin - size_of::<i32>();
            let length = i32::try_from(written).map_err(|error| sqlx::Error::Encode(error.into()))?;
            if let Some(place) = self.buffer.get_mut(begin..begin + size_of::<i32>()) {
                place.copy_from_slice(&length.to_be_bytes());
            }
        }
        Ok(self)
    }

    /// Has them stored: `statement` is a COPY … FROM STDIN WITH (FORMAT binary).
    ///
    /// # Errors
    /// [`StoreError`]. Given up in the middle, nothing is stored.
    pub(crate) async fn store(
        mut self,
        connection: &mut PgConnection,
        statement: &str,
    ) -> Result<(), StoreError> {
        self.buffer.extend_from_slice(&END.to_be_bytes());
        let mut copy = connection.copy_in_raw(statement).await?;
        copy.send(self.buffer.as_slice()).await?;
        copy.finish().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_its_number_of_cells_and_each_cell_its_length_and_bytes() {
        let mut rows = Rows::new(3, 0);
        let row = rows.row().cell("ab").unwrap().cell(None::<i32>).unwrap();
        row.cell(258_i32).unwrap();
        let wanted = b"\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\x04\0\0\x01\x02";
        assert_eq!(rows.buffer.strip_prefix(HEADER), Some(wanted.as_slice()));
    }
}
