"""Everyday English words that are also tickers or company names: ALL, KEY, Target. Written by dev/words.py.

A ticker among them counts only in a ticker's dress (`$ALL`, `(NYSE: ALL)`), a one-word name only with a capital.
"""

from __future__ import annotations

_WORDS = """
abate able about above abuse abv acid acreage act actor acts acute adapt add added adds adj adopt ads adult after
again age aged agent ages aging ago agree agri ahead aid aide aided aim aimed aims air aired alarm all allay allow
alone along also alter amend amid among ample and anger angry annum anti any apart app apple apply appreciate apps
arch are area areas aren argue arise arm arms army arose array arrival art aside ask asked asks assay asset assure
ate atop audio audit augur auto autos avert avg avoid await awake award aware away awful axe baby back backs bad
badly bag bags bail bails bakes ball ban band bang bank banks banner bans bar bars base based bases basic basis
basks batch bay bear bears beat beats beef beefs been beer began begin begun being bell bells below belt best bet
bets beyond bias bid bids big bike bikes bill bills bin bind binge bio bird birth bit bite bites biz black blame
blank blaze bleak blind bln bloc block blog blood blow blue blunt board boat body bogus boil bold bona bond bonds
bonus book booking books boom boon boost born borne boss bot both bound bout box boxes boy bps brace brain brake
brand break brick brief bring brink broad broke bucks budge bug build built bulk bull bulls bump bumps bunch bund
burn burst bus buses bust busy but buy buyer buys buzz cable cache call calls calm came camp camps can cane cant cap
capex caps car card cards care cargo carnival carry cars cart case cases cash cast casts cat catch cause cease cede
cell cells cent cents ceo cfo chain chair chana chaos chart chase chat cheap check cheer chest chief child chill
chip chips chop chose chunk churn cited cites citizens city civil claim clash class clean clear click climb clip
close cloud club clubs clues coach coal coast code codes coffee coin coins cold color combo come comes comp comps
cons coo cool cools cope coped copra copy core corn cos cost costs could count court cover cow crack crash crazy
cream crew crime crop crops crore cross crowd crown crude crush cry crypto cto cues cup curb curbs cure cured curve
cusp cut cuts cyber cycle daily dairy dal dam dark darn data date dated dates dawn day days dead deal deals dealt
death debit debt debts debut deck deem deems deep defer defy del delay delta demat dent dents deny des desc desk
desks diagnostics did didn die died dies diet diets dig digit digs dim dims dip dips dire dirty discover ditch dive
dives does doesn dog dogs doing don done dont doom door doors dose doses dot doubt dow down dozen draft drag drags
drama draw drawn draws dream dress drew drift drill drink drive drone drop drops drove drug drugs dry dual due dues
dull duly dump dumps duty each early earn earns earth ease eased eases east eastern easy eats ebix ebixs edge edged
edges edgy edit eggs eight elect else email employers empty end endeavor ended ends enemy energy enjoy enter entry
envoy equal equitable era erase error esg est etc etf euro euros even event ever every exact exec execs exist exit
exits exp express extra eye eyed eyes face faced faces fact facto facts fade faded fades fads fail fails fair faith
fake fall falls false fan fans far fare fares farm farms fast fatal fault favor fda fear fears fee feed feel feels
fees feet fell fetch feud fever few fewer fib fiber fibre fide field fifth fifty fight file filed files fill film
final find finds fine fined fines fire fired fires firm firms first fist fit five fix fixed fixes flag flags flash
flat fled flee flees fleet flies float flock flood floor flour flow flows flu flush fly focus fold food foods fool
foot for foray force forex forge form forms forth forty forum fossil found four frame franc fraud fray free freedom
fresh fried fries from front frontline froze fruit fuel fuels full fully fun fund funds gaap gain gains game games
gap gas gases gauge gave gdp gear gears gems gene get gets giant gift gig girl give given gives glass globe gloom
glory glow glut goal goals goes going gold golf gone gonna good goods got govt grab grabs grace grade graft grain
gram grand grant great green grew grey grid grids grim grip grips gross group grow grown grows guar guard guess
guide gum gun guy guys habit hack had half halt halts halve hand hands hang hangs happy hard harm has hasn hat hate
hats haul haunt have haven havoc head heads healthcare hear heard heart heat heavy hedge hefty heir heirs held helm
help helps her here heres hide high highs hike hiked hikes him hinge hint hints hire hired hires his hit hits hive
hold holds hole home homes honest honor hope hoped hopes horse host hosts hot hotel hour hours house hover how hub
huge human hunt hurry hurt hurts hype idea ideas idle ies iii image imho imo inch incur index infer info infra ink
inks input interdigital interface into intra inure inv ipo ira iron irs isn issue item items its jail jeera jet jets
job jobs join joins joint judge juice jumbo jump jumps junk jury just keen keep keeps kept key keys kick kicks kids
kill kills kind kinds king kit kits knew knock know known knows lab label labor lack lacks lady lag lags laid lakh
land lands lanes lap lapse large laser last late later laugh law laws lay lays lead leads leak leans learn lease
least leave led left leg legal lend lens lent less let lets level levy lie lied lien liens lies lieu life lift lifts
light like likes limbo limit line lined lines link links lira list lists lithium live lived liver lives load loan
loans lobby local lock log logo logos logs lol long longs look looks loom looms loop lose loser loses loss lost lot
lots love loved low lower lows luck lucky lull lump lunch lung lure macro made magic maiden mail main major make
maker makes male mall malls man many map maps march mark marks mask masks mass matar match may maybe mayor mbps mcap
meal meals mean means meant meat media meet meets mega meme memo men mend menu merge mess messy met metal meter
micro mid might mild mile miles milk mill mills min mind mine miner mines mini minor mint minus mis miss mix mixed
mkt mln mock mode model money month mood moon moong mop moral more most motor mount move moved mover moves movie mtg
much mull mulls multi murky music must muted nabs name named names nand nany nasty near nears need needs net never
new newly news next nice night nin nine nod non none noon nor norm norms north northern nos not note noted notes
novel now nthe nudge null nyse occur ocean odd odds off offer often oil oils okay okays old older omit once one ones
only onto open opens opt oracle oral order ore osc other ounce our ours out outdo over owe owed owes owing own owned
owner owns pace pack pact pacts paddy page pages paid pain paint pair paise palm panel panic paper par pare pared
pares park parks part parts party pass past patch path pause pave pay payee pays peace peak peaks peer peers pegs
penny per perfect perks peso pest phase phone photo pick picks piece pile pill pilot pit pitch pivot pizza place
plain plan plane plans plant play plays plc plea plead plot plug plumb plus point poll polls ponzi pool poor pop
pops popular pork port ports pose posed poses post posts pot pound pour power pre premier press prev price prime
print prior prize pro probe progressive proof prop props pros proud prove proxy pts publ pull pulls pump pumps punch
push put puts qtr quash queue quick quiet quit quite quits quo race races radar radio raid raids rail rails rain
rains raise rally ramp ramps ran rand range ranks rape rapid rare rata rate rated rates ratio raw reach react read
reads ready real reap recos red refer rein rejig relax reliance rely remit renew rent rents rep repay reply repo res
reset rest reuse rev revs rice rich ride rides rig right ring rings riot ripe rise risen rises risk risks risky
rival river road roads roars robot rock role roles roll rolls roof room rooms ropes rose rosy round rout route row
royal rude rule ruled rules run rung runs rupee rural rush sacks safe safer sag saga sags said sale sales salt same
sank save saved saw say says scale scam scans scare scars scoop scope score scores scrap scrip sea seat seats sec
sedan see seed seeds seek seeks seem seems seen sees seize self sell sells semi send sends sense sent serve set sets
setup seven sex shade shake shaky shale shall shape share sharp shave she shed sheds sheen sheet shelf shell shift
shine ship ships shldr shock shook shoot shop shops shore short shot shots show shown shows shun shut shuts shy sick
side sides siege sight sign signs since sink sinks sit site sites sits six sixth sixty size ski skid skids skies
skill skin skip sky slain slam slams slap slaps slash slate sleep slew slice slid slide slip slips slots slow slows
slump small smart smoke snack snag snap snaps snow snub soar soars soda soft solar sold sole solid solve some son
song songs soon sops sort sound soup sour sours southern soya space spam spare spark spat spate speak speed spell
spend spent spike spin spite split spoke spook sport spot spots spree spur spurs staff stage stake stall stamp stand
star stark stars start state stay stays std steal steam steel steep steer stem step steps stick stiff still stk
stock stoke stole stood stop stops store storm story stuck study stuff style sub such sucks sue sued sues sugar
suing suit suite suits sum sums sun super sure surge swap swaps sway sweep sweet swept swim swing sworn symp table
tabs tacos tag tail take taken takes talk talks tall tally tame tank tanks tap tape taped taper taps target task tax
taxes taxi tea teach team teams tear tech techs teens teja tell tells ten tend tens tense tenth term terms test
tests text texts tha than thank that the theft their them theme then there these they thin thing think third this
those three throw thru thus tick ticks tide tie tied tier tiers ties tight till tilt time times tin tip tips tired
titan title toast toc today toe token told toll ton tone tonne too took tool tools toor top tops torn tort total
touch tough tour touts tower town towns toxic toy toys track trade trail train trap tread treat tree trees trend
trial trick tried tries trim trims trip trips truce truck true truly trust try tur turf turn turns tweak tweet twice
twist two type types tyre ugly ultra under undue union unit unite united units unity until upon upped upper ups
upset upto urad urban urge urged urges usa usage usd use used user users uses using usual valid value van vans vapes
vary vast venue verge very vest vets via vice video vie view views vii viral virus visa visit vista vital voice void
von voor vote voted voter votes vow vowed vows vying wage wages wagon wait waive wake walk walks wall wane want
wants war ward warm warn warns warp wars wary was wasn waste watch water wave waves way ways weak wear web wedge
week weeks weigh well wells went were what wheat when where which while white who whole whom whose why wide wider
wife wild will win wind winds wine wines wing winners wins wipe wiped wire wish wit with wkly woes woman women won
wont woo wood woods wor word words work works world worry worse worst worth would wound wow wrap wraps write wrong
wrote www yacht year years yellow yen yes yest yet yield you young your yours youth yoy yrs yuan zero zinc zone zoom
zooms
"""

EVERYDAY = frozenset(_WORDS.split())
