// What the pack does on the page: a node shows what the run has to say of it, and greys out what has no effect.

import { app } from "../../scripts/app.js"

const PACK = "LatentRepaint_"
const NOTICE = "latent_repaint_notice"
const HEIGHT = 40 // pixels: two lines

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

function tell(node, text, teller) {
    let widget = named(node, NOTICE)
    if (!widget) {
        const element = document.createElement("div")
        Object.assign(element.style, { color: "#ffb454", fontSize: "12px", lineHeight: "14px", overflow: "auto" })
        const fixed = () => HEIGHT
        widget = node.addDOMWidget(NOTICE, "notice", element, {
            serialize: false,
            hideOnZoom: false,
            margin: 5,
            getMinHeight: fixed,
            getMaxHeight: fixed,
        })
        widget.serialize = false
        const [width, height] = node.size
        node.setSize([width, Math.max(height, node.computeSize()[1])])
        widget.grown = node.size[1] - height
    }
    widget.teller = String(teller)
    widget.element.textContent = text
    app.canvas.setDirty(true, true)
}

/** Takes a node's notice away; not that of a node which is not run again, because it would say the same. */
function forget(node, cached) {
    const widget = named(node, NOTICE)
    if (!widget || cached.includes(widget.teller)) return
    node.removeWidget(widget)
    node.setSize([node.size[0], node.size[1] - widget.grown])
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
            const [text] = detail.output?.text ?? []
            if (text && nodes.at(-1)?.comfyClass?.startsWith(PACK)) tell(nodes[0], text, detail.node)
        })
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
