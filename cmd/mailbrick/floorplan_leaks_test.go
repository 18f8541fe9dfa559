package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"strconv"
	"strings"
)

// file is a parsed Go file with its imports.
type file struct {
	pkg     string // folder below the root, "archive/pack"
	test    bool
	set     *token.FileSet
	tree    *ast.File
	imports []imported
}

type imported struct {
	name string // as written, else guessed; "." and "_" as they are
	path string
	pos  token.Pos
}

func parse(set *token.FileSet, name, text string) (file, error) {
	tree, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		return file{}, err
	}
	f := file{pkg: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), set: set, tree: tree}
	for _, spec := range tree.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return file{}, err
		}
		im := imported{name: packageName(p), path: p, pos: spec.Pos()}
		if spec.Name != nil {
			im.name = spec.Name.Name
		}
		f.imports = append(f.imports, im)
	}
	return f, nil
}

func (f *file) at(pos token.Pos) string {
	p := f.set.Position(pos)
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// foreign gives the import path behind a qualifier when it is somebody else's, "" when it is not. A qualifier that no import
// explains is of a package that is named otherwise than its path: somebody else's, as the standard library and ours have no
// such.
func (f *file) foreign(qualifier string) string {
	var unexplained []string
	for _, im := range f.imports {
		switch {
		case im.name == qualifier && isThirdParty(im.path):
			return im.path
		case im.name == qualifier:
			return ""
		case isThirdParty(im.path):
			unexplained = append(unexplained, im.path)
		}
	}
	return strings.Join(unexplained, " or ")
}

// leakage looks for types of others in what a package shows. Types that are not exported count as soon as an exported
// signature speaks of them.
type leakage struct {
	types   map[string]*declared // all types of the package
	values  map[string]bool      // its variables and constants: they are no qualifiers
	methods map[string][]declaredFunc
	shown   map[string]bool // types that can be had from outside; each is looked at once
	waiting []string
	out     []string
}

type declared struct {
	f    *file
	spec *ast.TypeSpec
}

type declaredFunc struct {
	f    *file
	decl *ast.FuncDecl
}

// leaks says where third-party types stand in the exported signatures of a package.
func leaks(files []file) []string {
	l := &leakage{types: map[string]*declared{}, values: map[string]bool{}, methods: map[string][]declaredFunc{}, shown: map[string]bool{}}
	for i := range files {
		if !files[i].test {
			l.collect(&files[i])
		}
	}
	for i := range files {
		if !files[i].test {
			l.roots(&files[i])
		}
	}
	for len(l.waiting) > 0 {
		name := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.typeOf(name)
	}
	return l.out
}

// collect learns what a file declares.
func (l *leakage) collect(f *file) {
	for _, d := range f.tree.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					l.types[s.Name.Name] = &declared{f, s}
				case *ast.ValueSpec:
					for _, n := range s.Names {
						l.values[n.Name] = true
					}
				}
			}
		case *ast.FuncDecl:
			if d.Recv != nil && len(d.Recv.List) == 1 {
				name := baseName(d.Recv.List[0].Type)
				l.methods[name] = append(l.methods[name], declaredFunc{f, d})
			}
		}
	}
}

// roots looks at what is exported by itself: functions, variables, constants, types.
func (l *leakage) roots(f *file) {
	for _, im := range f.imports {
		if im.name == "." && isThirdParty(im.path) {
			l.out = append(l.out, f.at(im.pos)+": import . "+im.path+": its types cannot be told from ours")
		}
	}
	for _, d := range f.tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.IsExported() {
				l.look(f, d.Name.Name, d.Type)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.ValueSpec:
					l.value(f, s)
				case *ast.TypeSpec:
					if s.Name.IsExported() {
						l.show(s.Name.Name)
					}
				}
			}
		}
	}
}

// value looks at exported variables: at the type they are given or, without one, at what their value is made by.
func (l *leakage) value(f *file, s *ast.ValueSpec) {
	for i, n := range s.Names {
		switch {
		case !n.IsExported():
		case s.Type != nil:
			l.look(f, n.Name, s.Type)
		case i < len(s.Values):
			l.look(f, n.Name, maker(s.Values[i]))
		case len(s.Values) == 1:
			l.look(f, n.Name, maker(s.Values[0]))
		}
	}
}

// maker is the part of an expression that says of what type it is: the literal's type, the function that is called.
func maker(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.UnaryExpr:
		return maker(e.X)
	case *ast.ParenExpr:
		return maker(e.X)
	case *ast.CompositeLit:
		return e.Type
	case *ast.CallExpr:
		return maker(e.Fun)
	case *ast.FuncLit:
		return e.Type
	}
	return e
}

func (l *leakage) show(name string) {
	if !l.shown[name] && l.types[name] != nil {
		l.shown[name] = true
		l.waiting = append(l.waiting, name)
	}
}

// typeOf looks at a type that is shown, and at its exported methods.
func (l *leakage) typeOf(name string) {
	d := l.types[name]
	l.look(d.f, name, d.spec.Type)
	if d.spec.TypeParams != nil {
		l.look(d.f, name, d.spec.TypeParams)
	}
	for _, m := range l.methods[name] {
		if m.decl.Name.IsExported() {
			l.look(m.f, name+"."+m.decl.Name.Name, m.decl.Type)
		}
	}
}

// look walks a signature. Fields and methods that are not exported are not of it.
func (l *leakage) look(f *file, where string, n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StructType:
			l.fields(f, where, n.Fields)
			return false
		case *ast.InterfaceType:
			l.fields(f, where, n.Methods)
			return false
		case *ast.Field: // parameters: their names say nothing
			l.look(f, where, n.Type)
			return false
		case *ast.SelectorExpr:
			l.selector(f, where, n)
			return false
		case *ast.Ident:
			l.show(n.Name)
		}
		return true
	})
}

func (l *leakage) fields(f *file, where string, fields *ast.FieldList) {
	for _, field := range fields.List {
		if len(field.Names) == 0 { // embedded: its methods are promoted, whatever its name
			l.look(f, where, field.Type)
		}
		for _, n := range field.Names {
			if n.IsExported() {
				l.look(f, where+"."+n.Name, field.Type)
			}
		}
	}
}

func (l *leakage) selector(f *file, where string, s *ast.SelectorExpr) {
	q, ok := s.X.(*ast.Ident)
	if !ok {
		l.look(f, where, s.X)
		return
	}
	if l.values[q.Name] {
		return
	}
	if p := f.foreign(q.Name); p != "" {
		l.out = append(l.out, fmt.Sprintf("%s: %s shows %s.%s of %s", f.at(s.Pos()), where, q.Name, s.Sel.Name, p))
	}
}

// baseName is the name of the type that a receiver is of.
func baseName(e ast.Expr) string {
	for {
		switch t := e.(type) {
		case *ast.StarExpr:
			e = t.X
		case *ast.ParenExpr:
			e = t.X
		case *ast.IndexExpr:
			e = t.X
		case *ast.IndexListExpr:
			e = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}
