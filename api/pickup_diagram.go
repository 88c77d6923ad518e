package api

import (
	"fmt"
	"slices"

	"waybill/db"
)

// pickupDiagram is a drawing of the transitions of pickups: the statuses that follow one another in a column,
// the others beside it.
type pickupDiagram struct {
	Rules         []db.ListTransitionsRow
	Width, Height int
	Nodes         []*diagramNode
	Edges         []*diagramEdge
	start         int // the y coordinate of the first row
}

// diagramNode is a status. X and Y are its center.
type diagramNode struct {
	Status         string
	X, Y           int
	Initial, Final bool
	row            int
	beside         bool
}

// diagramEdge is an arrow with the transitions that lead from one status to another.
type diagramEdge struct {
	From, To *diagramNode
	Rules    []db.ListTransitionsRow
	Path     string
	Labels   []diagramLabel
}

// diagramLabel is a line of text. Anchor is SVG's text-anchor.
type diagramLabel struct {
	X, Y        int
	Anchor      string
	Name, Roles string
}

// The measures of the drawing, in units of about a pixel on a phone.
const (
	nodeWidth, nodeHeight = 104, 34
	columnX, besideX      = 146, 328 // the centers of the nodes
	lineHeight            = 18
)

// Left is the x coordinate of the left side. These methods are exported for the template.
func (n *diagramNode) Left() int   { return n.X - nodeWidth/2 }
func (n *diagramNode) right() int  { return n.X + nodeWidth/2 }
func (n *diagramNode) Top() int    { return n.Y - nodeHeight/2 }
func (n *diagramNode) bottom() int { return n.Y + nodeHeight/2 }
func (n *diagramNode) Width() int  { return nodeWidth }
func (n *diagramNode) Height() int { return nodeHeight }

// drawPickups lays out the transitions.
func drawPickups(rules []db.ListTransitionsRow) *pickupDiagram {
	d := &pickupDiagram{Rules: rules, Width: 392, start: 66}
	for _, status := range db.AllPickupStatusValues() {
		d.addNode(rules, status)
	}
	for _, from := range d.Nodes {
		for _, to := range d.Nodes {
			d.addEdge(rules, from, to)
		}
	}
	d.placeRows()
	rolesShown := map[db.TransitionName]bool{}
	for _, e := range d.Edges {
		e.route(rolesShown)
	}
	return d
}

func leads(r db.ListTransitionsRow, from, to string) bool {
	return string(r.ToStatus) == to && slices.Contains(r.FromStatuses, from)
}

// addNode adds a status that some transition has: in the column if a transition leads there from the status
// above, else beside it.
func (d *pickupDiagram) addNode(rules []db.ListTransitionsRow, status db.PickupStatus) {
	n := &diagramNode{Status: string(status), X: columnX, Initial: true, Final: true}
	var above *diagramNode
	for _, other := range d.Nodes {
		if !other.beside {
			above = other
		}
	}
	n.beside = above != nil
	for _, r := range rules {
		n.Initial = n.Initial && r.ToStatus != status
		n.Final = n.Final && !slices.Contains(r.FromStatuses, n.Status)
		n.beside = n.beside && !leads(r, above.Status, n.Status)
	}
	switch {
	case n.Initial && n.Final:
		return
	case n.beside:
		n.X = besideX
	case above != nil:
		n.row = above.row + 1
	}
	d.Nodes = append(d.Nodes, n)
}

func (d *pickupDiagram) addEdge(rules []db.ListTransitionsRow, from, to *diagramNode) {
	e := &diagramEdge{From: from, To: to}
	for _, r := range rules {
		if leads(r, from.Status, to.Status) {
			e.Rules = append(e.Rules, r)
		}
	}
	if e.Rules != nil {
		d.Edges = append(d.Edges, e)
	}
}

// placeRows sets the y coordinates: a status beside the column is in the middle of those that lead there, or in
// the next free row, and between two rows there is space for the labels.
func (d *pickupDiagram) placeRows() {
	gaps, taken := map[int]int{}, map[int]bool{}
	for _, e := range d.Edges {
		if e.isStep() {
			gaps[e.From.row] = len(e.Rules) * lineHeight
		}
	}
	for _, n := range d.Nodes {
		if !n.beside {
			continue
		}
		var rows []int
		for _, e := range d.Edges {
			if e.To == n {
				rows = append(rows, e.From.row)
			}
		}
		if len(rows) > 0 {
			n.row = rows[len(rows)/2]
		}
		for taken[n.row] {
			n.row++
		}
		taken[n.row] = true
	}
	for _, n := range d.Nodes {
		n.Y = d.start
		for row := range n.row {
			n.Y += nodeHeight + max(44, gaps[row]+26)
		}
		d.Height = max(d.Height, n.bottom()+14)
	}
}

// isStep reports whether the edge leads to the next status of the column.
func (e *diagramEdge) isStep() bool {
	return !e.From.beside && !e.To.beside && e.To.row == e.From.row+1
}

// route sets the line and the labels of an edge. rolesShown are the transitions whose roles another of their
// arrows shows: beside the column there is no space to repeat them.
func (e *diagramEdge) route(rolesShown map[db.TransitionName]bool) {
	from, to := e.From, e.To
	switch {
	case e.isStep():
		e.Path = fmt.Sprintf("M%d %dV%d", from.X, from.bottom(), to.Top())
		y := (from.bottom()+to.Top())/2 + 4 - (len(e.Rules)-1)*lineHeight/2
		for i, r := range e.Rules {
			e.label(from.X+10, y+i*lineHeight, "start", string(r.Transition), list(r.Roles))
		}
	case !from.beside && !to.beside: // back, or past others: on the left
		x := from.Left() - 6 - 12*max(from.row-to.row, to.row-from.row)
		e.Path = fmt.Sprintf("M%d %dH%dQ%d %d %d %dV%dQ%d %d %d %dH%d", from.Left(), from.Y, x+8,
			x, from.Y, x, (from.Y + sign(to.Y-from.Y)*8), to.Y-sign(to.Y-from.Y)*8, x, to.Y, x+8, to.Y, to.Left())
		y := (from.Y+to.Y)/2 - (2*len(e.Rules)-2)*lineHeight/2
		for i, r := range e.Rules {
			e.label(x-6, y+2*i*lineHeight-3, "end", string(r.Transition), "")
			e.label(x-6, y+2*i*lineHeight+lineHeight-5, "end", "", list(r.Roles))
		}
	case from.beside:
		e.Path = fmt.Sprintf("M%d %dL%d %d", from.Left(), from.Y, to.right(), to.Y)
		e.labelAbove((from.Left()+to.right())/2-20, (from.Y+to.Y)/2, rolesShown)
	case from.row == to.row:
		e.Path = fmt.Sprintf("M%d %dH%d", from.right(), from.Y, to.Left())
		e.labelAbove(from.right()+8, from.Y, rolesShown)
	default: // beside the column, to the row of the status and into it from above or below
		end, turn := to.Top(), 8
		if from.row > to.row {
			end, turn = to.bottom(), -8
		}
		e.Path = fmt.Sprintf("M%d %dH%dQ%d %d %d %dV%d", from.right(), from.Y, to.X-8,
			to.X, from.Y, to.X, from.Y+turn, end)
		e.labelAbove(from.right()+8, from.Y, rolesShown)
	}
}

// labelAbove labels a horizontal line.
func (e *diagramEdge) labelAbove(x, y int, rolesShown map[db.TransitionName]bool) {
	y -= 6
	for _, r := range slices.Backward(e.Rules) {
		if !rolesShown[r.Transition] {
			rolesShown[r.Transition] = true
			e.label(x, y, "start", "", list(r.Roles))
			y -= 16
		}
		e.label(x, y, "start", string(r.Transition), "")
		y -= 16
	}
}

func (e *diagramEdge) label(x, y int, anchor, name, roles string) {
	e.Labels = append(e.Labels, diagramLabel{x, y, anchor, name, roles})
}

func sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}
