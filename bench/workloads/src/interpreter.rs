//! A small functional language whose interpreter walks the tree and allocates as such interpreters do.
//!
//! ```text
//!   source ──parser──► Expression tree (made once)
//!   call:    Frame {arguments, parent} ──► Frame in which the function was made     one box and one vector per call
//!   value:   counted box: number │ text │ pair │ closure (code + Frame) │ nil       one box per result
//! ```
//!
//! Values live as long as somebody refers to them: most for a few nanoseconds, lists for a pass, closures for several.

mod parser;

use crate::task::{Tally, Task};
use parser::{Expression, Primitive};
use std::rc::Rc;

/// The program: recursion, lists made and folded, closures that capture closures, and text.
const SOURCE: &str = include_str!("interpreter/program.txt");

type Reference = Rc<Value>;

/// A value of the language.
#[derive(Debug)]
enum Value {
    Nil,
    Number(i64),
    Text(String),
    Pair(Reference, Reference),
    Closure { body: Rc<Expression>, frame: Rc<Frame> },
}

/// The arguments of one call, and the frame in which the function was made.
#[derive(Debug)]
struct Frame {
    arguments: Vec<Reference>,
    parent: Option<Rc<Frame>>,
}

impl Frame {
    /// The argument `index` of the frame `depth` steps up; the parser saw to it that there is one.
    fn look_up(&self, depth: usize, index: usize) -> &Reference {
        let mut frame = self;
        for _ in 0..depth {
            frame = frame.parent.as_deref().expect("a variable of an outer function");
        }
        &frame.arguments[index]
    }
}

/// Runs the program again and again, each time on another argument.
pub(crate) fn interpreter(task: Task) -> Tally {
    let runs = task.share(1_600);
    task.split(|thread| {
        let functions = parser::program(SOURCE);
        let mut machine = Machine { functions: &functions, tally: Tally::default() };
        for run in 0..runs {
            let argument = machine.number((thread * 31 + run) as i64 % 40);
            let result = machine.call(&functions[functions.len() - 1], vec![argument], None);
            let sum = checksum(&result);
            machine.tally.add(sum);
        }
        machine.tally
    })
}

/// Folds a value and all that it holds into one number.
fn checksum(value: &Value) -> u64 {
    match value {
        Value::Nil => 1,
        Value::Number(number) => number.cast_unsigned(),
        Value::Text(text) => crate::data::text_sum(text),
        Value::Pair(first, second) => checksum(first).rotate_left(7) ^ checksum(second),
        Value::Closure { frame, .. } => frame.arguments.len() as u64,
    }
}

/// The interpreter's state: the functions of the program, by number, and what was counted.
struct Machine<'program> {
    functions: &'program [Rc<Expression>],
    tally: Tally,
}

impl Machine<'_> {
    fn boxed(&mut self, value: Value) -> Reference {
        self.tally.operations += 1;
        Rc::new(value)
    }

    fn number(&mut self, number: i64) -> Reference {
        self.boxed(Value::Number(number))
    }

    /// Evaluates `body` in a new frame.
    fn call(&mut self, body: &Expression, arguments: Vec<Reference>, parent: Option<Rc<Frame>>) -> Reference {
        // The frame, and the vector of its arguments unless that is empty.
        self.tally.operations += 1 + u64::from(arguments.capacity() > 0);
        let frame = Rc::new(Frame { arguments, parent });
        self.evaluate(body, &frame)
    }

    fn evaluate(&mut self, expression: &Expression, frame: &Rc<Frame>) -> Reference {
        match expression {
            Expression::Number(number) => self.number(*number),
            Expression::Text(text) => {
                self.tally.operations += 1;
                self.boxed(Value::Text(text.clone()))
            }
            Expression::Variable { depth, index } => frame.look_up(*depth, *index).clone(),
            Expression::If(parts) => {
                let branch = if truth(&self.evaluate(&parts[0], frame)) { &parts[1] } else { &parts[2] };
                self.evaluate(branch, frame)
            }
            Expression::Lambda(body) => {
                self.boxed(Value::Closure { body: body.clone(), frame: frame.clone() })
            }
            Expression::Primitive(primitive, operands) => {
                let first = operands.first().map(|operand| self.evaluate(operand, frame));
                let second = operands.get(1).map(|operand| self.evaluate(operand, frame));
                self.primitive(*primitive, first, second)
            }
            Expression::Global(function, operands) => {
                let arguments = self.operands(operands, frame);
                let functions = self.functions;
                self.call(&functions[*function], arguments, None)
            }
            Expression::Apply(function, operands) => {
                let function = self.evaluate(function, frame);
                let Value::Closure { body, frame: outer } = &*function else {
                    panic!("a call of what is no function")
                };
                let arguments = self.operands(operands, frame);
                self.call(body, arguments, Some(outer.clone()))
            }
        }
    }

    fn operands(&mut self, operands: &[Expression], frame: &Rc<Frame>) -> Vec<Reference> {
        operands.iter().map(|operand| self.evaluate(operand, frame)).collect()
    }

    fn primitive(
        &mut self,
        primitive: Primitive,
        first: Option<Reference>,
        second: Option<Reference>,
    ) -> Reference {
        let value = match (primitive, first.as_deref(), second.as_deref()) {
            (Primitive::Nil, ..) => Value::Nil,
            (Primitive::Add, Some(Value::Number(a)), Some(Value::Number(b))) => {
                Value::Number(a.wrapping_add(*b))
            }
            (Primitive::Subtract, Some(Value::Number(a)), Some(Value::Number(b))) => Value::Number(a - b),
            (Primitive::Multiply, Some(Value::Number(a)), Some(Value::Number(b))) => {
                Value::Number(a.wrapping_mul(*b))
            }
            (Primitive::Less, Some(Value::Number(a)), Some(Value::Number(b))) => {
                Value::Number(i64::from(a < b))
            }
            (Primitive::IsNil, Some(value), _) => Value::Number(i64::from(matches!(value, Value::Nil))),
            (Primitive::First, Some(Value::Pair(value, _)), _)
            | (Primitive::Rest, Some(Value::Pair(_, value)), _) => return value.clone(),
            (Primitive::Text, Some(Value::Number(number)), _) => {
                self.tally.operations += 1;
                Value::Text(number.to_string())
            }
            (Primitive::Join, Some(Value::Text(a)), Some(Value::Text(b))) => {
                self.tally.operations += 1;
                Value::Text([a.as_str(), b.as_str()].concat())
            }
            (Primitive::Pair, Some(_), Some(_)) => {
                let (Some(first), Some(second)) = (first, second) else { unreachable!("just matched") };
                Value::Pair(first, second)
            }
            (primitive, first, second) => panic!("{primitive:?} of {first:?} and {second:?}"),
        };
        self.boxed(value)
    }
}

fn truth(value: &Value) -> bool {
    !matches!(value, Value::Nil | Value::Number(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `(main)` of a program returns, with `SOURCE`'s functions at hand.
    fn result(main: &str) -> Reference {
        let functions = parser::program(&format!("{SOURCE}\n(define (test n) {main})"));
        let mut machine = Machine { functions: &functions, tally: Tally::default() };
        let argument = machine.number(7);
        machine.call(&functions[functions.len() - 1], vec![argument], None)
    }

    fn number(main: &str) -> i64 {
        match *result(main) {
            Value::Number(number) => number,
            ref other => panic!("{main} is {other:?}"),
        }
    }

    #[test]
    fn recursion_closures_and_lists_give_the_right_numbers() {
        assert_eq!(number("(fib 20)"), 6765);
        assert_eq!(number("((power (adder n) 6) 100)"), 142);
        assert_eq!(
            number("(fold (lambda (sum x) (+ sum x)) 0 (keep (lambda (x) (< n x)) (range 0 10)))"),
            17
        );
        assert_eq!(number("(first (reverse (range 0 n)))"), 6);
    }

    #[test]
    fn sorted_numbers_are_spelt_in_order() {
        let spelt = result("(spell (sort (map (scatter 30) (range 0 4))))");
        assert!(matches!(&*spelt, Value::Text(text) if text == ",0,7,14,21"), "{spelt:?}");
    }
}
