// What the pack does on the page: a node shows what the run has to say about it, and greys out what has no effect.

import { app } from "../../scripts/app.js"

const PACK = "LatentRepaint_"
const NAME = /^LatentRepaint_\w+: / // of the node, before what is wrong
const NOTICE = "latent_repaint_notice"
const RANKS = ["done", "amiss", "error"]
const COLOURS = { done: "#9aa4b2", amiss: "#ffb454", error: "#ff7b72" }
const SEVERITIES = { amiss: "warn", error: "error" } // of the page's own messages
const FONT = "12px Arial, sans-serif"
const TOAST = 20_000 // milliseconds
const [LINE, MARGIN, GAP, MOST_LINES] = [14, 5, 10, 9] // pixels, but for the last

const root = () => app.rootGraph ?? app.graph
const named = (node, name) => node.widgets?.find((widget) => widget.name === name)

/** The nodes on the way to one in a blueprint, the box in the outermost graph first: "5:4" is node 4 in box 5. */
function path(id) {
    let graph = root()
    return String(id).split(":").map((number) => {
        const node = graph?.nodes.find((one) => String(one.id) === number)
        graph = node?.subgraph
        return node
    })
}

/** The lines that a text takes, broken between words as the page breaks it. */
function linesOf(text, width) {
    const pen = document.createElement("canvas").getContext("2d")
    pen.font = FONT
    let [lines, line] = [1, ""]
    for (const word of text.split(" ")) {
        const longer = line ? `${line} ${word}` : word
        if (line && pen.measureText(longer).width > width) [lines, line] = [lines + 1, word]
        else line = longer
    }
    return Math.min(lines, MOST_LINES)
}

/** What a node covers: left, top with its title, right, bottom. */
function covered(node) {
    const { pos: [x, y], size: [width, height], flags } = node
    const [w, h] = flags?.collapsed ? [node._collapsed_width ?? 80, 0] : [width, height]
    return [x, y - LiteGraph.NODE_TITLE_HEIGHT, x + w, y + h]
}

/** Moves down the nodes that a grown node now covers, and those that they would cover: each once, from the top. */
function makeRoom(node, widget) {
    const uppers = [node]
    const below = node.graph.nodes.filter((one) => one.pos[1] > node.pos[1] && !one.flags?.pinned)
    for (const lower of below.sort((a, b) => a.pos[1] - b.pos[1])) {
        const [from, top, to] = covered(lower)
        const bottoms = uppers.map(covered).filter(([left, , right]) => from < right && left < to).map((box) => box[3])
        const by = Math.max(...bottoms) + GAP - top
        if (!(by > GAP)) continue
        lower.pos = [lower.pos[0], lower.pos[1] + by]
        widget.moved.push([lower, lower.pos[1], by])
        uppers.push(lower)
    }
}

/** Gives a node the size that it had without its notice, and moves back what was moved and stayed there. */
function takeRoom(node, widget) {
    node.setSize([node.size[0], node.size[1] - widget.grown])
    for (const [lower, y, by] of widget.moved.reverse()) if (lower.pos[1] === y) lower.pos = [lower.pos[0], y - by]
    Object.assign(widget, { grown: 0, moved: [] })
}

function noticeOf(node) {
    const known = named(node, NOTICE)
    if (known) return known
    const element = document.createElement("div")
    Object.assign(element.style, { font: FONT, lineHeight: `${LINE}px`, overflow: "auto" })
    let widget = null // the page may ask before it hands it over
    const height = () => (widget?.lines ?? 1) * LINE + 2 * MARGIN
    widget = node.addDOMWidget(NOTICE, "notice", element, {
        serialize: false,
        hideOnZoom: false,
        margin: MARGIN,
        getMinHeight: height,
        getMaxHeight: height,
        afterResize: () => widget && named(node, NOTICE) === widget && makeRoom(node, widget), // for a preview, too
    })
    return Object.assign(widget, { serialize: false, lines: 0, grown: 0, moved: [] })
}

/** Shows one line on a node: the worst of its run, and none that another node already shows. */
function tell(node, text, kind, teller) {
    const others = root().nodes.filter((one) => one !== node).map((one) => named(one, NOTICE))
    if (kind === "amiss" && others.some((widget) => widget?.element.textContent === text)) return
    const before = node.size[1]
    const widget = noticeOf(node)
    if (widget.element.textContent && RANKS.indexOf(kind) < RANKS.indexOf(widget.kind)) return
    Object.assign(widget, { kind, teller: String(teller) })
    widget.element.textContent = text
    widget.element.style.color = COLOURS[kind]
    const lines = linesOf(text, node.size[0] - 4 * MARGIN)
    if (lines !== widget.lines) {
        takeRoom(node, widget)
        widget.lines = lines
        const without = Math.min(before, node.size[1])
        node.setSize([node.size[0], Math.max(node.size[1], node.computeSize()[1])])
        widget.grown = node.size[1] - without
    }
    if (node.flags.collapsed && SEVERITIES[kind]) // its notice is not seen before somebody unfolds it
        app.extensionManager.toast.add({ severity: SEVERITIES[kind], summary: node.title, detail: text, life: TOAST })
    app.canvas.setDirty(true, true)
}

/** Empties a node's notice, unless the node is not run again: it would say the same. */
function forget(node, cached) {
    const widget = named(node, NOTICE)
    if (widget && !cached.includes(widget.teller)) widget.element.textContent = ""
}

/** Removes a notice that stayed empty. Its room is kept until the run ends, so that nothing jumps. */
function tidy(node) {
    const widget = named(node, NOTICE)
    if (!widget || widget.element.textContent) return
    node.removeWidget(widget)
    takeRoom(node, widget)
}

/** `blend` asks the model once a step, whatever evaluations_per_step says. */
function greyOut(node) {
    const [method, budget] = [named(node, "method"), named(node, "evaluations_per_step")]
    if (budget) budget.disabled = method.value === "blend"
}

app.registerExtension({
    name: "latent-repaint",
    setup() {
        app.api.addEventListener("execution_cached", ({ detail }) => {
            const cached = detail.nodes.map(String)
            root().nodes.forEach((node) => forget(node, cached))
        })
        app.api.addEventListener("executed", ({ detail }) => {
            const nodes = path(detail.node)
            const { text: [text] = [], amiss: [amiss] = [] } = detail.output ?? {}
            const ours = nodes.at(-1)?.comfyClass?.startsWith(PACK)
            if (text && ours) tell(nodes[0], text, amiss ? "amiss" : "done", detail.node)
        })
        app.api.addEventListener("execution_error", ({ detail }) => {
            const [said, ours] = [detail.exception_message?.trim() ?? "", detail.node_type?.startsWith(PACK)]
            const [node] = path(detail.node_id)
            if (node && (ours || said.startsWith(PACK))) tell(node, said.replace(NAME, ""), "error", detail.node_id)
        })
        for (const end of ["execution_success", "execution_error", "execution_interrupted"])
            app.api.addEventListener(end, () => root().nodes.forEach(tidy))
    },
    nodeCreated(node) {
        const method = node.comfyClass?.startsWith(PACK) && named(node, "method")
        if (!method) return
        const callback = method.callback
        method.callback = function (...given) {
            callback?.apply(this, given)
            greyOut(node)
        }
        greyOut(node)
    },
    loadedGraphNode(node) {
        if (node.comfyClass?.startsWith(PACK)) greyOut(node)
    },
})
