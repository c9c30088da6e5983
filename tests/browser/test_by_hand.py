"""The worksheet in a real browser: numbers are typed, followed, refused and explained."""

from playwright.sync_api import expect

LAB = "/transformer?lang=en&lab=by_hand"


def weight(page, row: int, column: int):
    return (
        page.get_by_role("grid", name="A = softmax")
        .locator("tr")
        .nth(row)
        .locator("td")
        .nth(column - 1)
    )


def test_a_typed_number_is_followed_and_kept_in_the_link(visit):
    page = visit(LAB)
    cell = page.get_by_role("textbox", name="Q itself 1")
    cell.fill("-2,5")
    cell.press("Tab")
    # Scores of the last row: 0, −5/2, 0, −3.5/2, with weights e^0 / (2 + e^−2.5 + e^−1.75) = 0.443 for "the".
    expect(weight(page, 4, 1)).to_have_text("0.443")
    expect(page.get_by_role("textbox", name="Q itself 2")).to_be_focused()
    expect(cell).to_have_value("−2.5")
    page.wait_for_url("**q=0*")
    page.reload()
    expect(weight(page, 4, 1)).to_have_text("0.443")


def test_what_is_no_number_is_refused_in_a_sentence(visit):
    page = visit(LAB)
    cell = page.get_by_role("textbox", name="Q the 1")
    for typed in ("abc", "1e3", ""):
        cell.fill(typed)
        cell.press("Enter")
        expect(page.locator(".sheet .readout").first).to_contain_text("Only numbers between")
        expect(cell).to_have_value("0")


def test_pointing_at_a_number_tells_its_arithmetic_and_lights_its_sources(visit):
    page = visit(LAB)
    page.get_by_role("grid", name="R = Q").locator("tr").nth(4).locator("td").nth(1).hover()
    expect(page.locator(".sheet .readout").nth(1)).to_have_text(
        "R₄₂ = 2·2 + 0·0 + 0·1 + (−1)·0 = 4"
    )
    expect(page.locator(".sheet td.first")).to_have_count(4)  # row 4 of Q
    expect(page.locator(".sheet td.second")).to_have_count(4)  # row 2 of K


def test_a_block_from_a_spreadsheet_fills_the_cells(visit):
    page = visit(LAB)
    page.get_by_role("textbox", name="V the 1").focus()
    page.evaluate(
        """() => {
          let node = document.activeElement;
          while (node.shadowRoot) node = node.shadowRoot.activeElement;
          const clipboardData = new DataTransfer();
          clipboardData.setData("text", "3\\t4\\n5\\t6");
          node.dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true }));
        }"""
    )
    outputs = page.get_by_role("grid", name="O = A V").locator("tr").nth(1).locator("td")
    expect(outputs.nth(0)).to_have_text("3")  # the first token sees itself alone
    expect(outputs.nth(1)).to_have_text("4")


def test_the_worksheet_fits_a_phone(visit):
    for knobs in ("&width=6", "&start=x", "&part=scale", "&part=leak"):
        page = visit(LAB + knobs, width=390, height=844)
        page.locator(".sheet td, canvas").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
