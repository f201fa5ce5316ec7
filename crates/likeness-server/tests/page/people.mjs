// Persons, the keyboard, and the key, against running services that `tests/page.rs` started.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { browser, image, open, sample, slot, verdict } from './browser.mjs';

const WHOLE = process.env.PAGE_WHOLE;
const KEYED = process.env.PAGE_KEYED;

test('enrol, verify, search, delete', async () => {
  const expected = [/400.*enroll/, /403.*verify/, /404.*(verify|enroll)/];
  const { page, sound, close } = await open(browser, WHOLE, {}, expected);
  const answer = page.locator('#people-answer');
  const act = async (name, text) => {
    await page.getByRole('button', { name, exact: true }).click();
    await answer.getByText(text).first().waitFor();
  };
  await act('Enrol', 'A user id is needed');
  assert.equal(await page.getByLabel('User id').getAttribute('aria-invalid'), 'true');
  await page.getByLabel('User id').fill('eileen');
  await act('Enrol', 'No photograph');
  await sample(page);
  await act('Verify', 'Nobody is enrolled under this id');
  await act('Enrol', 'eileen is enrolled');
  await sound('enrolled');
  await act('Verify', /^Verified$/);
  assert.match(await answer.innerText(), /Cosine distance[^]*threshold/);
  await sound('verified');
  await act('Search', '1 person within the threshold');
  assert.match(await answer.locator('tbody').innerText(), /eileen\s+-?0\.0000/);
  await sound('found');
  await slot(page, 'file').getByRole('button', { name: 'Remove' }).click();
  await slot(page, 'file').locator('input[type=file]').setInputFiles(image('anna_fake.jpg'));
  assert.match(await verdict(page), /Spoof/);
  await act('Verify', 'Blocked');
  await act('Enrol', 'Not enrolled');
  await sound('blocked');
  await page.getByRole('button', { name: 'Delete …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Keep' }).click();
  await page.getByRole('button', { name: 'Delete …' }).click();
  await sound('delete');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await answer.getByText('eileen is deleted').waitFor();
  assert.equal(await page.locator('#curl').innerText(), `curl -X DELETE '${WHOLE}/api/v1/enroll/eileen'`);
  await act('Verify', 'Nobody is enrolled under this id');
  await close();
});

test('by keyboard alone: sample, enrolment, deletion', async () => {
  const { page, sound, close } = await open(browser, WHOLE);
  const reach = async (name) => {
    for (let step = 0; step < 60; step += 1) {
      await page.keyboard.press('Tab');
      const found = await page.evaluate(() => (document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim());
      if (found === name) {
        const outline = await page.evaluate(() => [document.activeElement, document.activeElement.nextElementSibling].some((part) => part && getComputedStyle(part).outlineStyle !== 'none'));
        assert.ok(outline, `${name}: the focus can be seen`);
        return;
      }
    }
    assert.fail(`${name} can't be reached`);
  };
  await reach('Skip to the photographs');
  await page.keyboard.press('Enter');
  await reach('Choose a file');
  await reach('Try a sample');
  await page.keyboard.press('Enter');
  assert.match(await verdict(page), /Live/);
  await reach('User id');
  await page.keyboard.type('by-keys');
  await reach('Enrol');
  await page.keyboard.press('Space');
  await page.getByText('by-keys is enrolled').waitFor();
  await reach('Delete …');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await reach('Delete');
  await page.keyboard.press('Enter');
  await page.getByText('by-keys is deleted').waitFor();
  await sound('keyboard');
  await close();
});

test('with a key: it goes in its header, and nowhere else', async () => {
  const { page, sound, close } = await open(browser, KEYED, {}, [/401.*inspect/]);
  await page.getByRole('button', { name: 'Try a sample' }).click();
  await page.getByText('This service asks for a key').waitFor();
  await sound('no-key');
  const secret = process.env.PAGE_KEY;
  const sent = page.waitForRequest((request) => request.url().endsWith('/inspect'));
  await page.getByLabel('Key', { exact: true }).fill(secret);
  await page.getByRole('button', { name: 'Use', exact: true }).click();
  const request = await sent;
  assert.equal(request.headers()['x-api-key'], secret);
  assert.match(await verdict(page), /Live/);
  assert.match(await page.locator('#curl').innerText(), /-H "X-API-Key: \$LIKENESS_KEY"/);
  assert.ok(!(await page.content()).includes(secret) && !page.url().includes(secret), 'the key is not in the page');
  assert.equal(await page.getByLabel('Key', { exact: true }).inputValue(), '');
  await sound('key');
  await close();
});
