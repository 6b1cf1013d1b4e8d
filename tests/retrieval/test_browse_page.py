"""The page in a browser, used as a person uses it: with a mouse, with keys alone, on a phone."""

import re
import shutil
import threading

import pytest
from browse_cases import calibrate, pairs_of_people, photograph, said
from index_rows import row, unit_vectors
from vireid.retrieval.conditions import key_condition
from vireid.retrieval.forgetting import forget
from vireid.retrieval.index_folder import open_index

pytest.importorskip("playwright")
pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
from playwright.sync_api import expect, sync_playwright
from vireid.retrieval.browse.serving import listen, server
from vireid.retrieval.browse.session import Session

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
PATIENCE = 60_000  # milliseconds, on a machine with much else to do
ACT = "document.title='ran';window.ran=1"
HOSTILE = f"</script><script>{ACT}</script>\"'><img src=x onerror={ACT}> {{{{7*7}}}} &lt;b&gt;"


@pytest.fixture(scope="module")
def chromium():
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def serve():
    """Serves an index; gives its address."""
    running = []

    def begin(index, **options):
        opened = listen(0)
        made = server(Session(index, **options), "token", opened)
        thread = threading.Thread(target=made.run, args=([opened],))
        thread.start()
        running.append((made, thread, opened))
        return f"http://127.0.0.1:{opened.getsockname()[1]}/token/"

    yield begin
    for made, thread, opened in running:
        made.should_exit = True
        thread.join(60)
        opened.close()
        assert not thread.is_alive()


@pytest.fixture
def visit(chromium):
    """Opens a page that fails the test if a script of it does."""
    opened, failures = [], []

    def begin(address, **options):
        context = chromium.new_context(**options)
        context.set_default_timeout(PATIENCE)
        opened.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(address)
        return page

    yield begin
    for context in opened:
        context.close()
    assert failures == []


@pytest.fixture
def people(index):
    return pairs_of_people(index)


def status(page):
    return page.locator("#status")


def bar(page, key):
    return page.locator(f".bar[data-key={key}]")


def choose(page, key):
    bar(page, key).click()
    expect(page.locator("#pair")).to_contain_text(key)
    expect(page.locator("#candidates li").first).to_be_visible()
    rest(page)


def rest(page):
    """Waits until nothing is being loaded."""
    expect(page.locator("body[aria-busy]")).to_have_count(0)


def inside_width(page):
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_find_confirm_reload_and_take_back(people, serve, visit):
    calibrate(people, 0.8)
    page = visit(serve(people))
    expect(page.locator("#rows h3")).to_have_text(["time", "doorvisible", "thermalinfrared"])
    page.get_by_label("Key holds").fill("0002")
    page.get_by_label("Key holds").press("Enter")
    expect(page.locator(".bar")).to_have_count(1)
    choose(page, "p0002")
    sides = page.locator("#pair article")
    expect(sides.nth(0)).to_contain_text("p0002")
    expect(sides.nth(1)).to_contain_text("p0003")
    expect(page.locator("#candidates li").first).to_contain_text("✓ same")
    page.get_by_role("button", name="Same").first.click()
    expect(status(page)).to_contain_text("Kept: same, p0002 and p0003")
    assert said(people) == [("p0002", "p0003", "same")]
    expect(page.locator("#place")).to_have_text("candidate 2 of 6")
    page.reload()
    expect(page.locator("#candidates li").first).to_contain_text("you: same")
    expect(page.locator("#pair")).to_contain_text("person 1 (2 tracklets)")
    expect(page.get_by_role("button", name="Same").first).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Undo").click()
    expect(status(page)).to_contain_text("Taken back: same, p0002 and p0003")
    expect(page.locator("#candidates li").first).not_to_contain_text("you: same")
    assert said(people) == []


def test_an_infrared_tracklet_stands_on_the_right(people, serve, visit):
    page = visit(serve(people))
    choose(page, "p0003")
    sides = page.locator("#pair article")
    expect(sides.nth(0)).to_contain_text("p0002")
    expect(sides.nth(1)).to_contain_text("p0003")
    page.get_by_label("among").select_option("infrared")
    expect(page.locator("#candidates")).not_to_contain_text("visible")


def test_with_keys_alone(people, serve, visit):
    page = visit(serve(people))
    expect(bar(page, "p0000")).to_be_visible()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.key || ''"):
            break
    expect(bar(page, "p0000")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    expect(bar(page, "p0002")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#place")).to_have_text("candidate 1 of 6")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#place")).to_have_text("candidate 2 of 6")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("s")
    expect(status(page)).to_contain_text("Kept: same")
    page.keyboard.press("d")
    expect(status(page)).to_contain_text("Kept: different")
    page.keyboard.press("u")
    expect(status(page)).to_contain_text("Kept: unsure")
    assert [answer for _, _, answer in said(people)] == ["same", "different", "unsure"]
    page.keyboard.press("z")
    expect(status(page)).to_contain_text("Taken back: unsure")
    page.keyboard.press("z")
    expect(status(page)).to_contain_text("Taken back: different")
    # A letter that is typed into a field is no judgement.
    page.get_by_label("Key holds").focus()
    page.keyboard.type("sdu")
    expect(page.get_by_label("Key holds")).to_have_value("sdu")
    assert said(people) == [("p0002", "p0003", "same")]


def test_questions_come_first_when_asked_for(people, serve, visit):
    page = visit(serve(people, ask=True))
    expect(page.locator("#asked")).to_contain_text("Question 1 of")
    expect(page.locator("#pair article")).to_have_count(2)
    first = page.locator("#pair").inner_text()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#asked")).to_contain_text("Question 2 of")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#asked")).to_contain_text("Question 1 of")
    assert page.locator("#pair").inner_text() == first
    page.keyboard.press("d")
    expect(status(page)).to_contain_text("Kept: different")
    assert page.locator("#pair").inner_text() != first
    page.keyboard.press("z")
    expect(status(page)).to_contain_text("Taken back: different")
    assert page.locator("#pair").inner_text() == first


def test_merging_and_splitting_people(people, serve, visit):
    page = visit(serve(people))
    for key in ("p0000", "p0002"):
        choose(page, key)
        page.keyboard.press("s")
        expect(status(page)).to_contain_text(f"Kept: same, {key}")
    page.get_by_role("button", name="People").click()
    expect(page.locator(".person")).to_have_count(2)
    page.get_by_label("Person 1, 2 tracklets").check()
    expect(page.locator("#merge")).to_be_disabled()
    page.get_by_label("Person 2, 2 tracklets").check()
    page.locator("#merge").click()
    expect(page.locator(".person")).to_have_count(1)
    expect(page.locator(".person h3")).to_have_text("Person 1, 4 tracklets")
    page.get_by_role("button", name="Split off p0003").click()
    expect(page.locator(".person h3")).to_have_text("Person 1, 3 tracklets")
    page.keyboard.press("z")
    expect(page.locator(".person h3")).to_have_text("Person 1, 4 tracklets")
    page.get_by_role("button", name="Show p0003").click()
    expect(page.locator("#pair")).to_contain_text("p0003")
    expect(bar(page, "p0003")).to_have_attribute("aria-current", "true")


def test_a_contradiction_is_shown_and_can_be_mended(people, serve, visit):
    page = visit(serve(people))
    choose(page, "p0000")
    page.keyboard.press("s")
    expect(status(page)).to_contain_text("Kept: same, p0000 and p0001")
    page.get_by_label("among").select_option("visible")
    expect(page.locator("#searched")).to_contain_text("of 5 tracklets")
    page.evaluate("document.activeElement.blur()")
    rest(page)
    other = page.locator("#pair article").nth(1).locator(".key").inner_text()
    page.keyboard.press("s")
    expect(status(page)).to_contain_text(f"Kept: same, p0000 and {other}")
    choose(page, "p0001")
    page.locator("#candidates button").filter(has_text=other).click()
    page.keyboard.press("d")
    expect(status(page)).to_contain_text(f"Kept: different, p0001 and {other}")
    page.get_by_role("button", name="People").click()
    note = page.locator(".wrong-note")
    expect(note).to_contain_text("Contradiction")
    expect(note.locator("li")).to_have_count(3)
    note.get_by_role("button", name="Take back: different").click()
    expect(note).to_have_count(0)


def test_on_a_phone_with_a_thumb(people, serve, visit):
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    page = visit(serve(people), **phone)
    expect(bar(page, "p0000")).to_be_visible()
    assert inside_width(page)
    bar(page, "p0000").tap()
    expect(page.locator("#pair article")).to_have_count(2)
    assert inside_width(page)
    for name in ("Same", "Different", "Unsure"):
        box = page.get_by_role("button", name=name).first.bounding_box()
        assert box["height"] >= 44 and box["width"] >= 44
        assert box["x"] >= 0 and box["x"] + box["width"] <= 360
    page.get_by_role("button", name="Different").tap()
    expect(status(page)).to_contain_text("Kept: different, p0000 and p0001")
    for part in ("Questions", "People"):
        page.get_by_role("button", name=part).tap()
        expect(page.locator(f"#{part.lower()}")).to_be_visible()
        assert inside_width(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_in_light_and_dark(people, serve, visit, scheme):
    page = visit(serve(people), color_scheme=scheme)
    choose(page, "p0000")

    def brightness(element, name):
        colour = element.evaluate(f"one => getComputedStyle(one).{name}")
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return luminance(linear)

    background = brightness(page.locator("body"), "backgroundColor")
    assert (background < 0.1) == (scheme == "dark")
    for selector in ("h1", "#about", "#candidates .key", ".answers .same", ".answers .different"):
        element = page.locator(selector).first
        inked = brightness(element, "color")
        behind = background
        if selector.startswith((".answers", "#candidates")):
            behind = brightness(page.locator("#candidates button").first, "backgroundColor")
        contrast = (max(inked, behind) + 0.05) / (min(inked, behind) + 0.05)
        assert contrast >= 4.5, selector


def luminance(linear):
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_control_has_a_name(people, serve, visit):
    page = visit(serve(people))
    choose(page, "p0000")
    page.keyboard.press("s")
    expect(status(page)).to_contain_text("Kept")
    unnamed = """() => [...document.querySelectorAll('button, input, select')].filter(one =>
        !(one.getAttribute('aria-label') || one.textContent.trim()
          || (one.labels && one.labels.length))).map(one => one.outerHTML)"""
    assert page.evaluate(unnamed) == []
    page.get_by_role("button", name="People").click()
    expect(page.locator(".person")).to_have_count(1)
    assert page.evaluate(unnamed) == []


def test_hostile_names_are_text(index, serve, visit):
    rows = [row(n, key=f"{n} {HOSTILE}", camera=f"{HOSTILE} {n % 2}") for n in range(4)]
    index.store.add(rows, unit_vectors(4), [photograph(n) for n in range(4)])
    # Without the rule that lets only the page's own scripts run: how it is built alone has to do.
    page = visit(serve(index), bypass_csp=True)
    expect(page.locator(".bar")).to_have_count(4)
    page.locator(".bar").first.click()
    expect(page.locator("#pair .key").first).to_have_text(f"0 {HOSTILE}")
    expect(page.locator("#rows h3").nth(1)).to_contain_text(HOSTILE)
    page.keyboard.press("s")
    expect(status(page)).to_contain_text(HOSTILE)
    page.reload()
    expect(page.locator("#candidates")).to_contain_text("you: same")
    page.get_by_label("Camera").select_option(f"{HOSTILE} 1")
    expect(page.locator(".bar")).to_have_count(2)
    page.get_by_role("button", name="Questions").click()
    expect(page.locator("#asked")).to_contain_text("uestion")
    page.get_by_role("button", name="People").click()
    expect(page.locator("#judgements")).to_contain_text(HOSTILE)
    assert page.evaluate("window.ran === undefined") and page.title() != "ran"
    assert page.locator("main img[src=x]").count() == 0


def test_what_is_forgotten_meanwhile_is_said(people, serve, visit):
    page = visit(serve(people))
    choose(page, "p0002")
    forget(open_index(people.path), key_condition("p0003"))
    page.keyboard.press("s")
    expect(status(page)).to_contain_text("has forgotten it")
    expect(status(page)).to_have_class("wrong")
    assert said(people) == []


def test_an_answer_waits_for_its_pair_and_filters_for_their_turn(people, serve, visit):
    page = visit(serve(people))
    choose(page, "p0000")
    slow = """() => { const plain = window.fetch; window.fetch = async (...given) => {
        await new Promise((done) => setTimeout(done, 300)); return plain(...given); } }"""
    page.evaluate(slow)
    page.keyboard.press("d")
    page.keyboard.press("s")
    expect(status(page)).to_contain_text("Not kept")
    expect(status(page)).to_contain_text("Kept: different, p0000 and p0001")
    rest(page)
    assert [answer for _, _, answer in said(people)] == ["different"]
    page.locator("#camera").select_option("door")
    page.locator("#modality").select_option("infrared")
    expect(page.locator("#range")).to_have_text("no tracklet is left after the filters")


def test_many_tracklets_come_in_pages(index, serve, visit):
    rows = [row(n) for n in range(400)]
    index.store.add(rows, unit_vectors(400), [photograph(n % 5) for n in range(400)])
    page = visit(serve(index))
    expect(page.locator("#range")).to_have_text("1 to 60 of 400")
    expect(page.locator(".bar")).to_have_count(60)
    page.get_by_role("button", name="Later").click()
    expect(page.locator("#range")).to_have_text("61 to 120 of 400")
    page.locator("#histogram button").last.click()
    expect(page.locator("#range")).to_contain_text("to 400 of 400")
    expect(page.get_by_role("button", name="Later")).to_be_disabled()
    page.locator("#modality").select_option("infrared")
    expect(page.locator("#range")).to_have_text("1 to 60 of 200")
