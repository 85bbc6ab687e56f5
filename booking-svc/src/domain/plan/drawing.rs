//! Areas of a plan: drawings with a text. The format gives them no capacity; what is sold in them stands in the hall's request.

use serde::{Deserialize, Serialize};

use super::Point;
use super::events::{Events, Member, Read, optional, required};

/// Corners of one polygon: a coast line, not a photograph.
const CORNERS_MAX: usize = 1_000;

/// A drawn area.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drawing {
    /// What is written on it; may be empty.
    pub text: String,
    /// Absolute position of its origin.
    pub position: Point,
    /// Rotation in degrees, clockwise.
    pub rotation: f64,
    /// Outline.
    pub shape: Shape,
}

/// Outline of a drawn area, in the plan's own unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// From the position to the right and down.
    Rectangle {
        /// Width.
        width: f64,
        /// Height.
        height: f64,
    },
    /// Around the position.
    Ellipse {
        /// Half of its width.
        radius_x: f64,
        /// Half of its height.
        radius_y: f64,
    },
    /// Corners seen from the position.
    Polygon(Vec<Point>),
    /// No outline that we know: only the text is drawn.
    Text,
}

// The published schema has `text` as a string and `width` and `height` beside it; newer editors write `text` as an object and the
// outline under the name of its shape.
const AREA: &[Member] = &[
    required("position"),
    optional("text"),
    optional("rotation"),
    optional("width"),
    optional("height"),
    optional("rectangle"),
    optional("circle"),
    optional("ellipse"),
    optional("polygon"),
];

/// Reads one area, at a position seen from its zone.
pub(super) fn read(events: &mut Events<'_>) -> Read<Option<Drawing>> {
    let (mut text, mut position, mut rotation) = (None, None, None);
    let (mut width, mut height, mut shape) = (None, None, None);
    let present = events.object(AREA, |events, member| {
        match member {
            "position" => position = events.point()?,
            "text" => text = read_text(events)?,
            "rotation" => rotation = events.number()?,
            "width" => width = events.number()?,
            "height" => height = events.number()?,
            "rectangle" => shape = read_rectangle(events)?.or(shape.take()),
            "circle" => shape = read_circle(events)?.or(shape.take()),
            "ellipse" => shape = read_ellipse(events)?.or(shape.take()),
            _ => shape = read_polygon(events)?.or(shape.take()),
        }
        Ok(())
    })?;
    let flat = width.zip(height);
    let flat = flat.map(|(width, height)| Shape::Rectangle { width, height });
    Ok(present.then(|| Drawing {
        text: text.unwrap_or_default(),
        position: position.unwrap_or_default(),
        rotation: rotation.unwrap_or_default(),
        shape: shape.or(flat).unwrap_or(Shape::Text),
    }))
}

fn read_text(events: &mut Events<'_>) -> Read<Option<String>> {
    const TEXT: &[Member] = &[optional("text")];
    if events.at_string()? {
        return events.label();
    }
    let mut text = None;
    events.object(TEXT, |events, _| {
        text = events.label()?;
        Ok(())
    })?;
    Ok(text)
}

fn read_rectangle(events: &mut Events<'_>) -> Read<Option<Shape>> {
    const RECTANGLE: &[Member] = &[required("width"), required("height")];
    let (mut width, mut height) = (None, None);
    events.object(RECTANGLE, |events, member| {
        let number = events.number()?;
        match member {
            "width" => width = number,
            _ => height = number,
        }
        Ok(())
    })?;
    let sides = width.zip(height);
    Ok(sides.map(|(width, height)| Shape::Rectangle { width, height }))
}

fn read_circle(events: &mut Events<'_>) -> Read<Option<Shape>> {
    const CIRCLE: &[Member] = &[required("radius")];
    let mut radius = None;
    events.object(CIRCLE, |events, _| {
        radius = events.number()?;
        Ok(())
    })?;
    Ok(radius.map(|radius| Shape::Ellipse {
        radius_x: radius,
        radius_y: radius,
    }))
}

fn read_ellipse(events: &mut Events<'_>) -> Read<Option<Shape>> {
    const ELLIPSE: &[Member] = &[required("radius")];
    let mut radius = None;
    events.object(ELLIPSE, |events, _| {
        radius = events.point()?;
        Ok(())
    })?;
    Ok(radius.map(|radius| Shape::Ellipse {
        radius_x: radius.x,
        radius_y: radius.y,
    }))
}

fn read_polygon(events: &mut Events<'_>) -> Read<Option<Shape>> {
    const POLYGON: &[Member] = &[required("points")];
    let mut points = Vec::new();
    events.object(POLYGON, |events, _| {
        events.array(CORNERS_MAX, |events| {
            points.extend(events.point()?);
            Ok(())
        })
    })?;
    Ok((!points.is_empty()).then_some(Shape::Polygon(points)))
}
