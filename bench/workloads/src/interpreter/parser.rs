//! From source to a tree in which every variable is a place and every function a number.

use std::rc::Rc;

/// What a program is made of. Operands are evaluated from left to right.
#[derive(Debug)]
pub(crate) enum Expression {
    Number(i64),
    Text(String),
    /// An argument: of the function itself (depth 0) or of one around it.
    Variable {
        depth: usize,
        index: usize,
    },
    /// Condition, then, else.
    If(Box<[Expression; 3]>),
    /// A function made where it stands.
    Lambda(Rc<Expression>),
    Primitive(Primitive, Vec<Expression>),
    /// A call of a function of the program, by its number.
    Global(usize, Vec<Expression>),
    /// A call of a value.
    Apply(Box<Expression>, Vec<Expression>),
}

/// What the language itself can do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Primitive {
    Nil,
    Add,
    Subtract,
    Multiply,
    Less,
    IsNil,
    Pair,
    First,
    Rest,
    Text,
    Join,
}

impl Primitive {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "nil" => Self::Nil,
            "+" => Self::Add,
            "-" => Self::Subtract,
            "*" => Self::Multiply,
            "<" => Self::Less,
            "nil?" => Self::IsNil,
            "pair" => Self::Pair,
            "first" => Self::First,
            "rest" => Self::Rest,
            "text-of" => Self::Text,
            "join" => Self::Join,
            _ => return None,
        })
    }
}

/// A word or a list in parentheses.
enum Form {
    Word(String),
    List(Vec<Form>),
}

impl Form {
    fn word(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::List(_) => panic!("a list where a word must be"),
        }
    }

    fn list(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            Self::Word(word) => panic!("`{word}` where a list must be"),
        }
    }
}

/// Reads a program; it is part of this crate, so a mistake in it is a panic.
pub(crate) fn program(source: &str) -> Vec<Rc<Expression>> {
    let mut lines = String::new();
    for line in source.lines().filter(|line| !line.starts_with(';')) {
        lines.push_str(&line.replace('(', " ( ").replace(')', " ) "));
    }
    let mut words = lines.split_whitespace();
    let mut forms = Vec::new();
    while let Some(word) = words.next() {
        forms.push(form(word, &mut words));
    }
    // (define (name argument…) body)
    let heads: Vec<&[Form]> = forms.iter().map(|define| define.list()[1].list()).collect();
    let names: Vec<&str> = heads.iter().map(|head| head[0].word()).collect();
    let body = |(define, head): (&Form, &&[Form])| {
        let mut scope = Scope { functions: &names, arguments: vec![words_of(&head[1..])] };
        Rc::new(scope.expression(&define.list()[2]))
    };
    forms.iter().zip(&heads).map(body).collect()
}

fn form<'source>(word: &str, words: &mut impl Iterator<Item = &'source str>) -> Form {
    if word != "(" {
        return Form::Word(word.to_owned());
    }
    let mut items = Vec::new();
    loop {
        match words.next().expect("a closing parenthesis") {
            ")" => return Form::List(items),
            word => items.push(form(word, words)),
        }
    }
}

fn words_of(forms: &[Form]) -> Vec<&str> {
    forms.iter().map(Form::word).collect()
}

/// The names that can be seen: functions, and the arguments of each function around, innermost last.
struct Scope<'source> {
    functions: &'source [&'source str],
    arguments: Vec<Vec<&'source str>>,
}

impl<'source> Scope<'source> {
    fn expression(&mut self, form: &'source Form) -> Expression {
        match form {
            Form::Word(word) => self.word(word),
            Form::List(items) => self.list(&items[0], &items[1..]),
        }
    }

    fn word(&self, word: &str) -> Expression {
        if let Ok(number) = word.parse() {
            return Expression::Number(number);
        }
        if let Some(text) = word.strip_prefix('"') {
            return Expression::Text(text.trim_end_matches('"').to_owned());
        }
        self.variable(word).unwrap_or_else(|| panic!("no variable `{word}`"))
    }

    fn variable(&self, word: &str) -> Option<Expression> {
        self.arguments.iter().rev().enumerate().find_map(|(depth, names)| {
            let index = names.iter().position(|name| *name == word)?;
            Some(Expression::Variable { depth, index })
        })
    }

    fn list(&mut self, head: &'source Form, rest: &'source [Form]) -> Expression {
        let name = if let Form::Word(word) = head { word.as_str() } else { "" };
        if name == "lambda" {
            self.arguments.push(words_of(rest[0].list()));
            let body = Rc::new(self.expression(&rest[1]));
            self.arguments.pop();
            return Expression::Lambda(body);
        }
        let operands: Vec<Expression> = rest.iter().map(|operand| self.expression(operand)).collect();
        if name == "if" {
            let parts: Box<[Expression; 3]> =
                operands.into_boxed_slice().try_into().expect("`if` has three parts");
            return Expression::If(parts);
        }
        if let Some(function) = self.variable(name) {
            return Expression::Apply(Box::new(function), operands);
        }
        if let Some(primitive) = Primitive::named(name) {
            return Expression::Primitive(primitive, operands);
        }
        match self.functions.iter().position(|function| *function == name) {
            Some(number) => Expression::Global(number, operands),
            None => Expression::Apply(Box::new(self.expression(head)), operands),
        }
    }
}
