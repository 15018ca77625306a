//! Reading .npy arrays of rank 1, a column, and rank 2, rows of columns.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, Float64Array, PrimitiveArray};
use arrow_schema::DataType;

use super::{Chunk, Chunks, Column, Counter, Shape, Table, Want, chunk_rows, failure, open_file};
use crate::failure::Result;
use crate::files::{Element, Endian, Header, header};

pub struct Npy {
    shape: Shape,
    layout: Layout,
    bytes: u64,
}

/// Where the elements are.
#[derive(Debug, Clone, Copy)]
struct Layout {
    element: Element,
    endian: Endian,
    /// Column by column.
    fortran: bool,
    rows: usize,
    columns: usize,
    /// The first byte of the data.
    start: u64,
}

impl Npy {
    pub fn open(path: &Path) -> Result<Self> {
        /// Far more than a header of two extents takes.
        const PREFIX: u64 = 1 << 17;
        let refuse = |message: String| failure(path, message);
        let (file, bytes) = open_file(path)?;
        let mut prefix = Vec::new();
        (file.take(PREFIX).read_to_end(&mut prefix)).map_err(|error| refuse(error.to_string()))?;
        let (header, data) = header(&prefix).map_err(refuse)?;
        let start = (prefix.len() - data.len()) as u64;
        header.check(bytes - start).map_err(refuse)?;
        let Header {
            element,
            endian,
            fortran,
            shape,
        } = header;
        let (rows, columns) = match *shape {
            [rows] => (rows, 1),
            [rows, columns] => (rows, columns),
            _ => return Err(refuse(format!("is of shape {shape:?}, a table has one or two axes"))),
        };
        let Some(data_type) = data_type(element) else {
            return Err(refuse(format!("holds {}, numbers are needed", element.name())));
        };
        let column = |i: usize| Column {
            name: i.to_string(),
            data_type: data_type.clone(),
        };
        Ok(Self {
            shape: Shape {
                path: path.to_owned(),
                columns: (0..columns).map(column).collect(),
            },
            layout: Layout {
                element,
                endian,
                fortran,
                rows,
                columns,
                start,
            },
            bytes,
        })
    }
}

impl Table for Npy {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read(&self, wants: &[Want], read: &Counter) -> Result<Chunks> {
        Ok(Box::new(Rows {
            file: open_file(&self.shape.path)?.0,
            shape: self.shape.clone(),
            layout: self.layout,
            wants: wants.to_vec(),
            done: 0,
            read: read.clone(),
        }))
    }
}

/// A reading in progress.
struct Rows {
    file: File,
    shape: Shape,
    layout: Layout,
    wants: Vec<Want>,
    done: usize,
    read: Counter,
}

impl Rows {
    fn chunk(&mut self, rows: usize) -> Result<Chunk> {
        let Layout { element, columns, .. } = self.layout;
        let width = element.width();
        let mut bytes = vec![0; rows * columns * width];
        self.fill(&mut bytes, rows).map_err(|error| {
            failure(
                &self.shape.path,
                format!("cannot be read after row {}: {error}", self.done),
            )
        })?;
        self.read.add(bytes.len() as u64);
        let first_row = self.done as u64 + 1;
        self.done += rows;
        let column = |(i, want): (usize, &Want)| {
            let of_column: Vec<u8> = match self.layout.fortran || columns == 1 {
                true => bytes[i * rows * width..][..rows * width].to_vec(),
                false => (0..rows)
                    .flat_map(|row| &bytes[(row * columns + i) * width..][..width])
                    .copied()
                    .collect(),
            };
            self.array(&of_column, *want)
        };
        let columns = self.wants.iter().enumerate().map(column).collect();
        Ok(Chunk {
            first_row,
            rows,
            columns,
        })
    }

    /// Reads rows; of an array in Fortran's order, column after column.
    fn fill(&mut self, bytes: &mut [u8], rows: usize) -> std::io::Result<()> {
        let Layout {
            columns,
            start,
            fortran,
            ..
        } = self.layout;
        let width = self.layout.element.width();
        if !fortran {
            self.file
                .seek(SeekFrom::Start(start + (self.done * columns * width) as u64))?;
            return self.file.read_exact(bytes);
        }
        for (i, bytes) in bytes.chunks_mut(rows * width).enumerate() {
            let first = (i * self.layout.rows + self.done) * width;
            self.file.seek(SeekFrom::Start(start + first as u64))?;
            self.file.read_exact(bytes)?;
        }
        Ok(())
    }

    fn array(&self, bytes: &[u8], want: Want) -> Option<ArrayRef> {
        let Layout { element, endian, .. } = self.layout;
        let numbers = || {
            let values = element.to_f64(bytes, endian).into_iter();
            Float64Array::from_iter(values.map(|value| (!value.is_nan()).then_some(value)))
        };
        match want {
            Want::Nothing => None,
            Want::Numbers => Some(Arc::new(numbers())),
            Want::AsIs => Some(stored(element, bytes, endian)),
        }
    }
}

impl Iterator for Rows {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Result<Chunk>> {
        let rows = (self.layout.rows - self.done).min(chunk_rows(self.layout.columns));
        (rows > 0).then(|| self.chunk(rows))
    }
}

fn data_type(element: Element) -> Option<DataType> {
    Some(match element {
        Element::U8 => DataType::UInt8,
        Element::U16 => DataType::UInt16,
        Element::U32 => DataType::UInt32,
        Element::U64 => DataType::UInt64,
        Element::I8 => DataType::Int8,
        Element::I16 => DataType::Int16,
        Element::I32 => DataType::Int32,
        Element::I64 => DataType::Int64,
        Element::F16 => DataType::Float16,
        Element::F32 => DataType::Float32,
        Element::F64 => DataType::Float64,
        Element::Bool | Element::Bf16 => return None,
    })
}

/// The elements in the type that they are stored in.
fn stored(element: Element, bytes: &[u8], endian: Endian) -> ArrayRef {
    fn of<T: ArrowPrimitiveType>(bytes: &[u8], endian: Endian) -> ArrayRef
    where
        T::Native: bytemuck::Pod,
    {
        let width = size_of::<T::Native>();
        let value = |bytes: &[u8]| -> T::Native {
            let mut ordered = [0; 8];
            let ordered = &mut ordered[..bytes.len()];
            ordered.copy_from_slice(bytes);
            // To the order of this machine.
            if (endian == Endian::Big) != cfg!(target_endian = "big") {
                ordered.reverse();
            }
            bytemuck::pod_read_unaligned(ordered)
        };
        Arc::new(PrimitiveArray::<T>::from_iter_values(
            bytes.chunks_exact(width).map(value),
        ))
    }
    match element {
        Element::U8 | Element::Bool => of::<UInt8Type>(bytes, endian),
        Element::U16 => of::<UInt16Type>(bytes, endian),
        Element::U32 => of::<UInt32Type>(bytes, endian),
        Element::U64 => of::<UInt64Type>(bytes, endian),
        Element::I8 => of::<Int8Type>(bytes, endian),
        Element::I16 => of::<Int16Type>(bytes, endian),
        Element::I32 => of::<Int32Type>(bytes, endian),
        Element::I64 => of::<Int64Type>(bytes, endian),
        Element::F16 | Element::Bf16 => of::<Float16Type>(bytes, endian),
        Element::F32 => of::<Float32Type>(bytes, endian),
        Element::F64 => of::<Float64Type>(bytes, endian),
    }
}
