//! Walks through a function and notes what it uses of its surroundings.

use oxc_ast::ast::*;
use oxc_ast_visit::{Visit, walk};
use oxc_semantic::{ScopeFlags, ScopeId, Scoping};
use oxc_span::{GetSpan, Span};
use oxc_str::Ident;
use oxc_syntax::operator::UnaryOperator;

use crate::text::Subject;

/// What a function uses, in oxc's positions.
pub(crate) struct Uses<'a, 's> {
    scoping: &'s Scoping,
    /// Every use of a free name, roughly in the order of the text.
    pub(crate) names: Vec<Use<'a>>,
    /// The same for parts that are evaluated with the surroundings: the `extends` clause and the computed keys of what
    /// the text is of.
    pub(crate) aside: Vec<Use<'a>>,
    /// Those computed keys, and how many of `aside` come before them and with them.
    pub(crate) keys: Vec<(Span, std::ops::Range<usize>)>,
    /// Names of functions declared in blocks of what was parsed as strict code. In sloppy code they would be seen
    /// outside of those as well.
    pub(crate) block_functions: Vec<Ident<'a>>,
    /// Private names that no class in the text declares, as they are met.
    pub(crate) private_outside: Vec<Ident<'a>>,
    /// How many private names were met.
    pub(crate) private_uses: usize,
    pub(crate) static_blocks_use_private: bool,
    pub(crate) this: Option<u32>,
    pub(crate) arguments: Option<u32>,
    pub(crate) super_: Option<u32>,
    pub(crate) new_target: Option<u32>,
    pub(crate) direct_eval: Option<u32>,
    pub(crate) uses_with: bool,
    pub(crate) has_dynamic_import: bool,
    pub(crate) import_meta: Vec<Span>,
    /// Statements that are expressions and follow another statement: where each begins, and where that one ends.
    pub(crate) sequels: Vec<(u32, u32)>,
    /// Where the walk is.
    outer: Outer,
    /// Functions in whose parameters the walk is: their scopes, and where their parameters end.
    parameters: Vec<(ScopeId, u32)>,
    /// What the classes around declare.
    private_declared: Vec<Vec<Ident<'a>>>,
}

/// One use of a free name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Use<'a> {
    pub(crate) name: Ident<'a>,
    pub(crate) span: Span,
    pub(crate) is_assigned: bool,
    pub(crate) how: How<'a>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum How<'a> {
    Plain,
    /// `typeof name`
    Typeof,
    /// `name()`, or `name` before a template
    Called,
    /// `{ name }`, also where that is assigned to
    Shorthand,
    /// `name.member`, which is not assigned to; `name.member()` if `is_called`
    Member {
        name: &'a str,
        is_called: bool,
    },
}

/// Which of these would be those of the surroundings.
#[derive(Debug, Clone, Copy)]
struct Outer {
    this: bool,
    arguments: bool,
    super_: bool,
    new_target: bool,
}

impl Outer {
    const ALL: Self = Self {
        this: true,
        arguments: true,
        super_: true,
        new_target: true,
    };
    const NONE: Self = Self {
        this: false,
        arguments: false,
        super_: false,
        new_target: false,
    };
}

impl<'a, 's> Uses<'a, 's> {
    pub(crate) fn of(subject: Subject<'a>, scoping: &'s Scoping) -> Self {
        let mut uses = Self::new(scoping);
        match subject {
            Subject::Arrow(arrow) => uses.visit_arrow_function_expression(arrow),
            Subject::Function(function) => uses.visit_function(function, ScopeFlags::Function),
            Subject::Class(class) => uses.own_class(class),
            Subject::Member {
                key,
                is_computed,
                function,
                ..
            } => {
                if is_computed {
                    uses.set_key_aside(key);
                }
                uses.visit_function(function, ScopeFlags::Function);
            }
        }
        uses
    }

    fn new(scoping: &'s Scoping) -> Self {
        Self {
            scoping,
            names: Vec::new(),
            aside: Vec::new(),
            keys: Vec::new(),
            block_functions: Vec::new(),
            private_outside: Vec::new(),
            private_uses: 0,
            static_blocks_use_private: false,
            this: None,
            arguments: None,
            super_: None,
            new_target: None,
            direct_eval: None,
            uses_with: false,
            has_dynamic_import: false,
            import_meta: Vec::new(),
            sequels: Vec::new(),
            outer: Outer::ALL,
            parameters: Vec::new(),
            private_declared: Vec::new(),
        }
    }

    /// The class that the text is of.
    fn own_class(&mut self, class: &Class<'a>) {
        if let Some(heritage) = &class.heritage {
            self.set_aside(&heritage.expression);
        }
        self.private_declared.push(private_names(&class.body));
        self.outer = Outer::NONE;
        for element in &class.body.body {
            match element.property_key() {
                Some(key) if element.computed() => self.set_key_aside(key),
                _ => {}
            }
            let before = self.private_uses;
            self.visit_element_value(element);
            if let ClassElement::StaticBlock(_) = element {
                self.static_blocks_use_private |= self.private_uses > before;
            }
        }
        self.private_declared.pop();
    }

    fn set_key_aside(&mut self, key: &PropertyKey<'a>) {
        let Some(key) = key.as_expression() else {
            return;
        };
        let before = self.aside.len();
        self.set_aside(key);
        self.keys.push((key.span(), before..self.aside.len()));
    }

    fn set_aside(&mut self, expression: &Expression<'a>) {
        let mut uses = Self::new(self.scoping);
        uses.visit_expression(expression);
        self.aside.append(&mut uses.names);
        self.sequels.append(&mut uses.sequels);
    }

    /// What is evaluated inside of a class: all of a member but its key.
    fn visit_element_value(&mut self, element: &ClassElement<'a>) {
        let outer = std::mem::replace(&mut self.outer, Outer::NONE);
        match element {
            ClassElement::StaticBlock(block) => self.visit_static_block(block),
            ClassElement::MethodDefinition(method) => {
                self.visit_function(&method.value, method.kind.scope_flags());
            }
            ClassElement::PropertyDefinition(property) => {
                if let Some(value) = &property.value {
                    self.visit_expression(value);
                }
            }
            ClassElement::AccessorProperty(property) => {
                if let Some(value) = &property.value {
                    self.visit_expression(value);
                }
            }
            ClassElement::TSIndexSignature(_) => {}
        }
        self.outer = outer;
    }

    fn is_free(&self, identifier: &IdentifierReference<'a>) -> bool {
        let id = identifier.reference_id.get();
        let mut found = id.and_then(|id| self.scoping.get_reference(id).symbol_id());
        // oxc has one scope for a function's parameters and its body, but parameters do not see into the body.
        while let Some(symbol) = found {
            let scope = self.scoping.symbol_scope_id(symbol);
            let declared_at = self.scoping.symbol_span(symbol).start;
            let mut parameters = self.parameters.iter();
            if !parameters.any(|&(function, end)| scope == function && declared_at >= end) {
                return false;
            }
            let around = self.scoping.scope_parent_id(scope);
            found = around.and_then(|around| self.scoping.find_binding(around, identifier.name));
        }
        true
    }

    fn meet(&mut self, identifier: &IdentifierReference<'a>, how: How<'a>) {
        if !self.is_free(identifier) {
            return;
        }
        if identifier.name == "arguments" {
            if self.outer.arguments {
                self.arguments.get_or_insert(identifier.span.start);
            }
            return;
        }
        let id = identifier.reference_id.get();
        self.names.push(Use {
            name: identifier.name,
            span: identifier.span,
            is_assigned: id.is_some_and(|id| self.scoping.get_reference(id).is_write()),
            how,
        });
    }

    /// `name.member`, without what makes it a call. False: it is something else, and nothing was done.
    fn meet_member(&mut self, member: &Expression<'a>, is_called: bool) -> bool {
        let (object, name) = match member {
            Expression::StaticMemberExpression(member) => {
                (&member.object, Some(member.property.name.as_str()))
            }
            Expression::ComputedMemberExpression(member) => (
                &member.object,
                member.static_property_name().map(|it| it.as_str()),
            ),
            _ => return false,
        };
        let (Expression::Identifier(object), Some(name)) = (object.without_parentheses(), name)
        else {
            return false;
        };
        self.meet(object, How::Member { name, is_called });
        true
    }

    fn visit_parameters(&mut self, parameters: &FormalParameters<'a>, scope: Option<ScopeId>) {
        let end = parameters.span.end;
        self.parameters.extend(scope.map(|scope| (scope, end)));
        self.visit_formal_parameters(parameters);
        if scope.is_some() {
            self.parameters.pop();
        }
    }

    /// What is called, or stands before a template.
    fn visit_callee(&mut self, callee: &Expression<'a>) {
        let inner = callee.without_parentheses();
        match inner {
            Expression::Identifier(identifier) => self.meet(identifier, How::Called),
            // `(name?.member)()`
            Expression::ChainExpression(chain) => match &chain.expression {
                ChainElement::StaticMemberExpression(member)
                    if let Expression::Identifier(object) = &member.object =>
                {
                    let name = member.property.name.as_str();
                    self.meet(
                        object,
                        How::Member {
                            name,
                            is_called: true,
                        },
                    );
                }
                _ => self.visit_expression(inner),
            },
            _ if self.meet_member(inner, true) => {}
            _ => self.visit_expression(inner),
        }
    }

    /// A member that is assigned to, or deleted: no read.
    fn visit_target(&mut self, member: &MemberExpression<'a>) {
        self.visit_expression(member.object());
        match member {
            MemberExpression::ComputedMemberExpression(member) => {
                self.visit_expression(&member.expression);
            }
            MemberExpression::PrivateFieldExpression(member) => {
                self.visit_private_identifier(&member.field);
            }
            MemberExpression::StaticMemberExpression(_) => {}
        }
    }

    /// Notes how statements follow each other; `end`: of what comes before the first.
    fn follow(&mut self, mut end: Option<u32>, statements: &[Statement<'a>]) {
        for statement in statements {
            let span = statement.span();
            if let (Statement::ExpressionStatement(_), Some(end)) = (statement, end) {
                self.sequels.push((span.start, end));
            }
            end = Some(span.end);
        }
    }
}

impl<'a> Visit<'a> for Uses<'a, '_> {
    fn visit_identifier_reference(&mut self, identifier: &IdentifierReference<'a>) {
        self.meet(identifier, How::Plain);
    }

    fn visit_unary_expression(&mut self, it: &UnaryExpression<'a>) {
        let argument = it.argument.without_parentheses();
        match (it.operator, argument) {
            (UnaryOperator::Typeof, Expression::Identifier(identifier)) => {
                self.meet(identifier, How::Typeof);
            }
            (UnaryOperator::Delete, Expression::ChainExpression(chain))
                if let Some(member) = chain.expression.as_member_expression() =>
            {
                self.visit_target(member);
            }
            (UnaryOperator::Delete, argument)
                if let Some(member) = argument.as_member_expression() =>
            {
                self.visit_target(member);
            }
            _ => walk::walk_unary_expression(self, it),
        }
    }

    fn visit_static_member_expression(&mut self, it: &StaticMemberExpression<'a>) {
        match it.object.without_parentheses() {
            Expression::Identifier(object) => self.meet(
                object,
                How::Member {
                    name: it.property.name.as_str(),
                    is_called: false,
                },
            ),
            _ => self.visit_expression(&it.object),
        }
    }

    fn visit_computed_member_expression(&mut self, it: &ComputedMemberExpression<'a>) {
        match (it.object.without_parentheses(), it.static_property_name()) {
            (Expression::Identifier(object), Some(name)) => self.meet(
                object,
                How::Member {
                    name: name.as_str(),
                    is_called: false,
                },
            ),
            _ => walk::walk_computed_member_expression(self, it),
        }
    }

    fn visit_simple_assignment_target(&mut self, it: &SimpleAssignmentTarget<'a>) {
        match it.as_member_expression() {
            Some(member) => self.visit_target(member),
            None => walk::walk_simple_assignment_target(self, it),
        }
    }

    fn visit_assignment_target_property_identifier(
        &mut self,
        it: &AssignmentTargetPropertyIdentifier<'a>,
    ) {
        self.meet(&it.binding, How::Shorthand);
        if let Some(init) = &it.init {
            self.visit_expression(init);
        }
    }

    fn visit_object_property(&mut self, it: &ObjectProperty<'a>) {
        if it.shorthand
            && let Expression::Identifier(identifier) = &it.value
        {
            return self.meet(identifier, How::Shorthand);
        }
        self.visit_property_key(&it.key);
        let outer = self.outer;
        if it.method || it.kind != PropertyKind::Init {
            self.outer.super_ = false;
        }
        self.visit_expression(&it.value);
        self.outer = outer;
    }

    fn visit_call_expression(&mut self, it: &CallExpression<'a>) {
        if let Expression::Identifier(identifier) = it.callee.without_parentheses()
            && identifier.name == "eval"
            && !it.optional
            && self.is_free(identifier)
        {
            self.direct_eval.get_or_insert(it.span.start);
        }
        self.visit_callee(&it.callee);
        self.visit_arguments(&it.arguments);
    }

    fn visit_tagged_template_expression(&mut self, it: &TaggedTemplateExpression<'a>) {
        self.visit_callee(&it.tag);
        self.visit_template_literal(&it.quasi);
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        self.visit_parameters(&it.params, it.scope_id.get());
        self.visit_arrow_function_body(&it.body);
    }

    fn visit_function(&mut self, it: &Function<'a>, _flags: ScopeFlags) {
        if it.is_declaration()
            && !it.r#async
            && !it.generator
            && let Some(id) = &it.id
            && let Some(symbol) = id.symbol_id.get()
            && let scope = self.scoping.symbol_scope_id(symbol)
            && !self.scoping.scope_flags(scope).is_var()
        {
            self.block_functions.push(id.name);
        }
        let outer = self.outer;
        self.outer = Outer {
            super_: outer.super_,
            ..Outer::NONE
        };
        self.visit_parameters(&it.params, it.scope_id.get());
        if let Some(body) = &it.body {
            self.visit_function_body(body);
        }
        self.outer = outer;
    }

    fn visit_class(&mut self, it: &Class<'a>) {
        if let Some(heritage) = &it.heritage {
            self.visit_expression(&heritage.expression);
        }
        self.private_declared.push(private_names(&it.body));
        for element in &it.body.body {
            match element.property_key() {
                Some(key) if element.computed() => self.visit_property_key(key),
                _ => {}
            }
            self.visit_element_value(element);
        }
        self.private_declared.pop();
    }

    fn visit_function_body(&mut self, it: &FunctionBody<'a>) {
        self.follow(
            it.directives.last().map(|last| last.span.end),
            &it.statements,
        );
        for statement in &it.statements {
            self.visit_statement(statement);
        }
    }

    fn visit_statements(&mut self, it: &oxc_allocator::Vec<'a, Statement<'a>>) {
        self.follow(None, it);
        walk::walk_statements(self, it);
    }

    fn visit_private_identifier(&mut self, it: &PrivateIdentifier<'a>) {
        self.private_uses += 1;
        let is_declared = self
            .private_declared
            .iter()
            .flatten()
            .any(|it_| *it_ == it.name);
        if !is_declared && !self.private_outside.contains(&it.name) {
            self.private_outside.push(it.name);
        }
    }

    fn visit_this_expression(&mut self, it: &ThisExpression) {
        if self.outer.this {
            self.this.get_or_insert(it.span.start);
        }
    }

    fn visit_super(&mut self, it: &Super) {
        if self.outer.super_ {
            self.super_.get_or_insert(it.span.start);
        }
    }

    fn visit_new_target(&mut self, it: &NewTarget) {
        if self.outer.new_target {
            self.new_target.get_or_insert(it.span.start);
        }
    }

    fn visit_import_meta(&mut self, it: &ImportMeta) {
        self.import_meta.push(it.span);
    }

    fn visit_import_expression(&mut self, it: &ImportExpression<'a>) {
        self.has_dynamic_import = true;
        walk::walk_import_expression(self, it);
    }

    fn visit_with_statement(&mut self, it: &WithStatement<'a>) {
        self.uses_with = true;
        walk::walk_with_statement(self, it);
    }
}

/// What a class declares.
fn private_names<'a>(body: &ClassBody<'a>) -> Vec<Ident<'a>> {
    let keys = body.body.iter().filter_map(ClassElement::property_key);
    keys.filter_map(PropertyKey::private_name).collect()
}
