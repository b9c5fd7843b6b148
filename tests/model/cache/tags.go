package main

import (
	"fmt"

	"latch/model/explore"
)

// One key, two tags (bits 1 and 2), callers that set it with either, with both or with none, one that deletes it, and one invalidation of
// tag 1: the query, a transaction, and where that is cancelled the value, then its tag item.
type tagState struct {
	tags    int8    // of the value; -1: there is none
	write   int8    // which set it is
	item    [2]int8 // of each tag, the set that wrote it; 0: none
	setters [3]int8 // 0 to come, 1 between two steps, 2 done, 3 crashed
	deleter int8
	inv     struct {
		at      int8 // 0 to come, 1 has queried, 2 is alone with the value, 3 with the tag item, 4 done, 5 crashed
		gen     int8
		began   int8 // the set that was there when it began, where that has tag 1
		removed int8
	}
	gone   int8 // values that the invalidation removed
	broken string
}

type tagRules struct {
	once   bool // a set is one transaction
	gen    bool // a tag item goes only if it is the one that was read
	tagged bool // a value goes only if it has the tag, or none
	exists bool // and only what is there is counted
}

var wants = [3]int8{1, 2, 3}

const unfound = "a tagged value that no later invalidation finds"
const survived = "a value that was set with the tag before survived"
const miscounted = "the number told isn't what was removed"
const others = "a value that has other tags was removed"

func (r tagRules) matches(s tagState) bool {
	if s.tags < 0 {
		return !r.exists
	}
	return !r.tagged || s.tags == 0 || s.tags&1 != 0
}

func (r tagRules) removeValue(t *tagState) {
	t.inv.removed++
	if t.tags >= 0 {
		t.gone++
		if t.tags > 0 && t.tags&1 == 0 {
			t.broken = others
		}
	}
	t.tags = -1
}

func (r tagRules) finish(t *tagState) {
	t.inv.at = 4
	if t.tags > 0 && t.tags&1 != 0 && t.inv.began != 0 && t.inv.began == t.write {
		t.broken = survived
	}
	if t.inv.removed != t.gone {
		t.broken = miscounted
	}
}

func (r tagRules) steps(s tagState, to func(string, tagState)) {
	for i, state := range s.setters {
		t := s
		name := fmt.Sprintf("%c: ", 'A'+i)
		stamp := int8(i + 1)
		value := func() { t.tags, t.write = wants[i], stamp }
		items := func() {
			for b := range t.item {
				if wants[i]>>b&1 != 0 {
					t.item[b] = stamp
				}
			}
		}
		switch {
		case state == 0 && r.once:
			value()
			items()
			t.setters[i] = 2
			to(fmt.Sprintf("%ssets value and items of tags %b", name, wants[i]), t)
		case state == 0:
			value()
			t.setters[i] = 1
			to(name+"sets the value", t)
		case state == 1:
			u := s
			u.setters[i] = 3
			to(name+"crashes", u)
			items()
			t.setters[i] = 2
			to(name+"sets the tag items", t)
		}
	}
	if s.deleter == 0 {
		t := s
		t.deleter, t.tags = 1, -1
		to("another deletes the value", t)
	}
	r.invalidate(s, to)
}

func (r tagRules) invalidate(s tagState, to func(string, tagState)) {
	t := s
	fresh := !r.gen || s.item[0] == s.inv.gen
	switch s.inv.at {
	case 0:
		t.inv.at, t.inv.gen = 1, s.item[0]
		if s.tags > 0 && s.tags&1 != 0 && s.item[0] != 0 {
			t.inv.began = s.write
		}
		if s.item[0] == 0 {
			r.finish(&t)
		}
		to("invalidation: queries the tag", t)
	case 1:
		if r.matches(s) && fresh && s.item[0] != 0 {
			r.removeValue(&t)
			t.item[0] = 0
			r.finish(&t)
			to("invalidation: removes value and tag item in one transaction", t)
			return
		}
		t.inv.at = 2
		to("invalidation: is cancelled", t)
	case 2:
		t.inv.at = 3
		if r.matches(s) {
			r.removeValue(&t)
		}
		to("invalidation: removes the value, if it has the tag", t)
	case 3:
		u := s
		u.inv.at = 5
		to("invalidation: crashes", u)
		if fresh {
			t.item[0] = 0
		}
		r.finish(&t)
		to("invalidation: removes the tag item, if it is the one", t)
	}
}

func (r tagRules) wrong(s tagState) string {
	if s.broken != "" {
		return s.broken
	}
	idle := s.inv.at == 0 || s.inv.at >= 4
	for _, state := range s.setters {
		idle = idle && state != 1
	}
	for b := range s.item {
		if idle && s.tags > 0 && s.tags>>b&1 != 0 && s.item[b] == 0 {
			return unfound
		}
	}
	return ""
}

func (r tagRules) model(name, breaks string) explore.Model {
	return explore.Rules[tagState]{Name: name, Breaks: breaks, Start: tagState{tags: -1}, Steps: r.steps, Wrong: r.wrong}
}

func tagModels() []explore.Model {
	all := tagRules{once: true, gen: true, tagged: true, exists: true}
	with := func(change func(*tagRules)) tagRules { r := all; change(&r); return r }
	return []explore.Model{
		with(func(r *tagRules) { r.once = false }).model("tags: value and tag items in two steps", unfound),
		with(func(r *tagRules) { r.gen = false }).model("tags: the tag item goes whichever it is", unfound),
		with(func(r *tagRules) { r.tagged = false }).model("tags: the value goes whatever tags it has", others),
		with(func(r *tagRules) { r.exists = false }).model("tags: counted whether or not it is there", miscounted),
		all.model("tags MENDED: a transaction, else the value and then its tag item", ""),
	}
}
